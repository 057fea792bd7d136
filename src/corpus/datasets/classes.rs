//! Class numbers of labels.

/// What is to be told apart. Labels that are of no class are to be left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Classes {
    /// The four emotions that most corpora have: anger, happiness, neutral, sadness.
    Emotion,
    /// Whether an emotion is negative or positive, as Latif et al., "Cross lingual speech emotion recognition: Urdu vs.
    /// Western languages" (FIT 2018), have it. RAVDESS's calm, of which they say nothing, goes with neutral.
    Valence,
    /// Whether it is abusive.
    Abuse,
}

pub(super) const ABUSIVE: &str = "abusive";
pub(super) const CLEAN: &str = "clean";

impl Classes {
    /// The names of the classes, in their order.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Emotion => &["anger", "happiness", "neutral", "sadness"],
            Self::Valence => &["negative", "positive"],
            Self::Abuse => &[CLEAN, ABUSIVE],
        }
    }

    /// The class of a label, counted from 0 as in [`Classes::names`].
    pub fn class(self, label: &str) -> Option<usize> {
        let name = match self {
            Self::Emotion | Self::Abuse => label,
            Self::Valence => valence(label)?,
        };
        self.names().iter().position(|class| *class == name)
    }
}

fn valence(emotion: &str) -> Option<&'static str> {
    match emotion {
        "anger" | "boredom" | "disgust" | "fear" | "sadness" => Some("negative"),
        "calm" | "happiness" | "neutral" | "surprise" => Some("positive"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_have_the_classes_that_they_should() {
        struct Case {
            label: &'static str,
            emotion: Option<usize>,
            valence: Option<usize>,
            abuse: Option<usize>,
        }
        let cases = [
            Case { label: "anger", emotion: Some(0), valence: Some(0), abuse: None },
            Case { label: "happiness", emotion: Some(1), valence: Some(1), abuse: None },
            Case { label: "neutral", emotion: Some(2), valence: Some(1), abuse: None },
            Case { label: "sadness", emotion: Some(3), valence: Some(0), abuse: None },
            Case { label: "boredom", emotion: None, valence: Some(0), abuse: None },
            Case { label: "surprise", emotion: None, valence: Some(1), abuse: None },
            Case { label: "calm", emotion: None, valence: Some(1), abuse: None },
            Case { label: "clean", emotion: None, valence: None, abuse: Some(0) },
            Case { label: "abusive", emotion: None, valence: None, abuse: Some(1) },
            Case { label: "negative", emotion: None, valence: None, abuse: None },
            Case { label: "Anger", emotion: None, valence: None, abuse: None },
        ];
        for Case { label, emotion, valence, abuse } in cases {
            let found = [Classes::Emotion, Classes::Valence, Classes::Abuse].map(|of| of.class(label));
            assert_eq!(found, [emotion, valence, abuse], "{label}");
        }
    }
}
