//! What the two codes of ECAPA-TDNN call their layers, and where they differ.

use crate::Result;
use crate::compute::{Linear, Precision};
use crate::models::loader::Loader;
use crate::weights::Checkpoint;

/// Whose code a network is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// Names that begin with `blocks.`; convolutions hear the mirror image beyond the edges.
    SpeechBrain,
    /// Names that begin with `speaker_encoder.`; convolutions hear zeros beyond the edges.
    TaoRuijie,
}

/// A convolution, and the norm after its ReLU where it has one.
pub(super) struct TdnnNames {
    pub conv: String,
    pub norm: Option<String>,
}

/// A block of convolutions of parts of the channels, which attends to channels.
pub(super) struct BlockNames {
    pub enter: TdnnNames,
    /// Of each part but one.
    pub parts: Vec<TdnnNames>,
    pub leave: TdnnNames,
    pub squeeze: String,
    pub excite: String,
}

/// All layers. Names are without `.weight` and `.bias`.
pub(super) struct Names {
    pub first: TdnnNames,
    pub blocks: Vec<BlockNames>,
    pub aggregate: TdnnNames,
    pub attend: TdnnNames,
    pub attention: String,
    pub pooled_norm: String,
    pub linear: String,
    pub last_norm: Option<String>,
}

/// Parts of the channels of a block.
pub(super) const PARTS: usize = 8;
/// Blocks.
const BLOCKS: usize = 3;

impl Layout {
    /// The layout of a checkpoint, if it is of such a network.
    pub fn of(checkpoint: &Checkpoint) -> Option<Self> {
        [Self::SpeechBrain, Self::TaoRuijie].into_iter().find(|layout| {
            let names = layout.names();
            [&names.first.conv, &names.attention]
                .into_iter()
                .all(|name| checkpoint.contains(&format!("{}{name}.weight", layout.prefix())))
        })
    }

    pub fn prefix(self) -> &'static str {
        match self {
            Self::SpeechBrain => "",
            Self::TaoRuijie => "speaker_encoder.",
        }
    }

    /// Samples of the transform of a frame.
    pub fn fft(self) -> usize {
        match self {
            Self::SpeechBrain => 400,
            Self::TaoRuijie => 512,
        }
    }

    pub fn names(self) -> Names {
        match self {
            Self::SpeechBrain => speechbrain(),
            Self::TaoRuijie => tao_ruijie(),
        }
    }

    /// The last layer, which in one of the codes is a convolution of one frame.
    pub fn load_linear(self, loader: &Loader, name: &str, inputs: usize, outputs: usize) -> Result<Linear> {
        let shape = match self {
            Self::SpeechBrain => vec![outputs, inputs, 1],
            Self::TaoRuijie => vec![outputs, inputs],
        };
        let weight = loader.values(&format!("{name}.weight"), &shape)?;
        let bias = loader.values(&format!("{name}.bias"), &[outputs])?;
        Ok(Linear::new(&weight, Some(bias), inputs.max(1), Precision::F32))
    }
}

fn speechbrain() -> Names {
    let tdnn = |name: String| TdnnNames {
        conv: format!("{name}.conv.conv"),
        norm: Some(format!("{name}.norm.norm")),
    };
    let block = |index: usize| BlockNames {
        enter: tdnn(format!("blocks.{index}.tdnn1")),
        parts: (0..PARTS - 1)
            .map(|part| tdnn(format!("blocks.{index}.res2net_block.blocks.{part}")))
            .collect(),
        leave: tdnn(format!("blocks.{index}.tdnn2")),
        squeeze: format!("blocks.{index}.se_block.conv1.conv"),
        excite: format!("blocks.{index}.se_block.conv2.conv"),
    };
    Names {
        first: tdnn("blocks.0".into()),
        blocks: (1..=BLOCKS).map(block).collect(),
        aggregate: tdnn("mfa".into()),
        attend: tdnn("asp.tdnn".into()),
        attention: "asp.conv.conv".into(),
        pooled_norm: "asp_bn.norm".into(),
        linear: "fc.conv".into(),
        last_norm: None,
    }
}

fn tao_ruijie() -> Names {
    let tdnn = |conv: String, norm: String| TdnnNames { conv, norm: Some(norm) };
    let block = |index: usize| {
        let name = |part: &str| format!("layer{index}.{part}");
        BlockNames {
            enter: tdnn(name("conv1"), name("bn1")),
            parts: (0..PARTS - 1)
                .map(|part| tdnn(name(&format!("convs.{part}")), name(&format!("bns.{part}"))))
                .collect(),
            leave: tdnn(name("conv3"), name("bn3")),
            squeeze: name("se.se.1"),
            excite: name("se.se.3"),
        }
    };
    Names {
        first: tdnn("conv1".into(), "bn1".into()),
        blocks: (1..=BLOCKS).map(block).collect(),
        aggregate: TdnnNames { conv: "layer4".into(), norm: None },
        attend: tdnn("attention.0".into(), "attention.2".into()),
        attention: "attention.4".into(),
        pooled_norm: "bn5".into(),
        linear: "fc6".into(),
        last_norm: Some("bn6".into()),
    }
}
