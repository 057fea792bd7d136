//! Corpora whose file names say everything: who speaks, and the emotion where it is acted.

use std::path::{Path, PathBuf};

use super::files::{self, AUDIO};
use super::record::{Content, Record};
use crate::{Error, Result};

/// How a corpus names its clips.
pub(super) struct Scheme {
    pub language: &'static str,
    /// An example of a name and what is in it.
    pub form: &'static str,
    parse: fn(&Path) -> Option<Name>,
}

/// What a name says.
#[derive(Debug, PartialEq, Eq)]
struct Name {
    label: &'static str,
    speaker: String,
}

pub(super) const URDU: Scheme = Scheme {
    language: "ur",
    form: "SM1_F10_A010.wav: speaker (SM or SF and a number), file, emotion (A H N S) and number",
    parse: urdu,
};

pub(super) const EMO_DB: Scheme = Scheme {
    language: "de",
    form: "03a01Fa.wav: speaker, text, emotion (W L E A F T N), version",
    parse: emo_db,
};

pub(super) const SAVEE: Scheme = Scheme {
    language: "en",
    form: "DC/a01.wav or DC_a01.wav: speaker (DC JE JK KL), emotion (a d f h n sa su), number",
    parse: savee,
};

pub(super) const EMOVO: Scheme = Scheme {
    language: "it",
    form: "dis-f1-b1.wav: emotion (rab sor dis pau gio tri neu), speaker (f or m and a number), sentence",
    parse: emovo,
};

pub(super) const RAVDESS: Scheme = Scheme {
    language: "en",
    form: "03-01-05-01-02-01-24.wav: modality, 01 for speech, emotion (01 to 08), intensity, statement, repetition, actor",
    parse: ravdess,
};

pub(super) const LIBRISPEECH: Scheme =
    Scheme { language: "en", form: "1688-142285-0000.flac: speaker, chapter, utterance", parse: librispeech };

pub(super) const VCTK: Scheme = Scheme {
    language: "en",
    form: "p225_003.flac or p225_003_mic1.flac: speaker (p or s and a number), text, microphone",
    parse: vctk,
};

impl Scheme {
    /// Whether this clip may be of the corpus.
    pub(super) fn fits(&self, path: &Path) -> bool {
        (self.parse)(path).is_some()
    }

    /// The clips below `folder`.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be read; [`Error::Corpus`] where there is no clip, or one is named otherwise.
    pub(super) fn read(&self, folder: &Path) -> Result<Vec<Record>> {
        let clips = files::below(folder, &AUDIO)?;
        let misfits: Vec<&PathBuf> = clips.iter().filter(|path| !self.fits(path)).collect();
        if let Some(misfit) = misfits.first() {
            let (count, all, misfit) = (misfits.len(), clips.len(), files::id(folder, misfit));
            return Err(Error::corpus(
                folder,
                format!(
                    "{count} of {all} clips are not named as expected, such as {misfit}; expected {}",
                    self.form
                ),
            ));
        }
        if clips.is_empty() {
            return Err(Error::corpus(
                folder,
                format!("there is no WAV or FLAC file; expected {}", self.form),
            ));
        }
        Ok(clips.into_iter().filter_map(|path| self.record(folder, path)).collect())
    }

    fn record(&self, folder: &Path, path: PathBuf) -> Option<Record> {
        let Name { label, speaker } = (self.parse)(&path)?;
        Some(Record {
            id: files::id(folder, &path),
            content: Content::File(path),
            label: label.into(),
            speaker: Some(speaker),
            language: Some(self.language.into()),
            split: None,
        })
    }
}

fn urdu(path: &Path) -> Option<Name> {
    let [speaker, file, item] = fields(files::stem(path), '_')?;
    let number = speaker.strip_prefix("SM").or_else(|| speaker.strip_prefix("SF"))?;
    let (letter, item) = item.split_at_checked(1)?;
    let label = match letter {
        "A" => "anger",
        "H" => "happiness",
        "N" => "neutral",
        "S" => "sadness",
        _ => return None,
    };
    let numbers = is_number(number) && is_number(file.strip_prefix('F')?) && is_number(item);
    numbers.then(|| Name { label, speaker: speaker.into() })
}

fn emo_db(path: &Path) -> Option<Name> {
    let stem = files::stem(path);
    let &[a, b, text, c, d, emotion, version] = stem.as_bytes() else { return None };
    let label = match emotion {
        b'W' => "anger",
        b'L' => "boredom",
        b'E' => "disgust",
        b'A' => "fear",
        b'F' => "happiness",
        b'T' => "sadness",
        b'N' => "neutral",
        _ => return None,
    };
    let digits = [a, b, c, d].iter().all(u8::is_ascii_digit);
    let letters = [text, version].iter().all(u8::is_ascii_lowercase);
    (digits && letters).then(|| Name { label, speaker: stem[..2].into() })
}

fn savee(path: &Path) -> Option<Name> {
    let stem = files::stem(path);
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    let (speaker, clip) = stem.split_once('_').or_else(|| Some((folder?, stem)))?;
    let (letters, number) = clip.split_at_checked(clip.len().checked_sub(2)?)?;
    let label = match letters {
        "a" => "anger",
        "d" => "disgust",
        "f" => "fear",
        "h" => "happiness",
        "n" => "neutral",
        "sa" => "sadness",
        "su" => "surprise",
        _ => return None,
    };
    let known = ["DC", "JE", "JK", "KL"].contains(&speaker) && is_number(number);
    known.then(|| Name { label, speaker: speaker.into() })
}

fn emovo(path: &Path) -> Option<Name> {
    let [emotion, speaker, sentence] = fields(files::stem(path), '-')?;
    let label = match emotion {
        "dis" => "disgust",
        "gio" => "happiness",
        "neu" => "neutral",
        "pau" => "fear",
        "rab" => "anger",
        "sor" => "surprise",
        "tri" => "sadness",
        _ => return None,
    };
    let number = speaker.strip_prefix('f').or_else(|| speaker.strip_prefix('m'))?;
    (is_number(number) && !sentence.is_empty()).then(|| Name { label, speaker: speaker.into() })
}

fn ravdess(path: &Path) -> Option<Name> {
    let fields: [&str; 7] = fields(files::stem(path), '-')?;
    let [_, channel, emotion, .., actor] = fields;
    let label = match emotion {
        "01" => "neutral",
        "02" => "calm",
        "03" => "happiness",
        "04" => "sadness",
        "05" => "anger",
        "06" => "fear",
        "07" => "disgust",
        "08" => "surprise",
        _ => return None,
    };
    let numbers = fields.iter().all(|field| field.len() == 2 && is_number(field));
    // The actors also sing, which is no speech.
    (numbers && channel == "01").then(|| Name { label, speaker: actor.into() })
}

/// Read speech; all of one label.
fn librispeech(path: &Path) -> Option<Name> {
    let fields: [&str; 3] = fields(files::stem(path), '-')?;
    fields.iter().all(|field| is_number(field)).then(|| Name { label: "read", speaker: fields[0].into() })
}

/// As [`librispeech`].
fn vctk(path: &Path) -> Option<Name> {
    let mut fields = files::stem(path).split('_');
    let (speaker, text) = (fields.next()?, fields.next()?);
    let number = speaker.strip_prefix('p').or_else(|| speaker.strip_prefix('s'))?;
    let rest = fields.all(|field| matches!(field, "mic1" | "mic2"));
    (is_number(number) && is_number(text) && rest).then(|| Name { label: "read", speaker: speaker.into() })
}

fn fields<const N: usize>(stem: &str, between: char) -> Option<[&str; N]> {
    stem.split(between).collect::<Vec<_>>().try_into().ok()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::super::files::tests::tree;
    use super::*;
    use proptest::prelude::*;

    const SCHEMES: [Scheme; 7] = [URDU, EMO_DB, SAVEE, EMOVO, RAVDESS, LIBRISPEECH, VCTK];

    #[test]
    fn names_say_the_emotion_and_the_speaker() {
        struct Case {
            path: &'static str,
            /// Of which corpus, as its place.
            of: usize,
            label: &'static str,
            speaker: &'static str,
        }
        let cases = [
            Case { path: "Angry/SM1_F10_A010.wav", of: 0, label: "anger", speaker: "SM1" },
            Case { path: "Sad/SF24_F3_S0100.flac", of: 0, label: "sadness", speaker: "SF24" },
            Case { path: "wav/03a01Fa.wav", of: 1, label: "happiness", speaker: "03" },
            Case { path: "16b10Lb.wav", of: 1, label: "boredom", speaker: "16" },
            Case { path: "AudioData/DC/a01.wav", of: 2, label: "anger", speaker: "DC" },
            Case { path: "AudioData/KL/su15.wav", of: 2, label: "surprise", speaker: "KL" },
            Case { path: "ALL/JE_sa07.wav", of: 2, label: "sadness", speaker: "JE" },
            Case { path: "f1/dis-f1-b1.wav", of: 3, label: "disgust", speaker: "f1" },
            Case { path: "m3/gio-m3-l4.flac", of: 3, label: "happiness", speaker: "m3" },
            Case { path: "Actor_24/03-01-05-01-02-01-24.wav", of: 4, label: "anger", speaker: "24" },
            Case { path: "03-01-02-01-02-01-07.wav", of: 4, label: "calm", speaker: "07" },
            Case { path: "1688/142285/1688-142285-0000.flac", of: 5, label: "read", speaker: "1688" },
            Case { path: "p225/p225_003.flac", of: 6, label: "read", speaker: "p225" },
            Case { path: "wav48/s5/s5_024_mic2.flac", of: 6, label: "read", speaker: "s5" },
        ];
        for case in cases {
            for (number, scheme) in SCHEMES.iter().enumerate() {
                let expected =
                    (number == case.of).then(|| Name { label: case.label, speaker: case.speaker.into() });
                assert_eq!((scheme.parse)(Path::new(case.path)), expected, "{}", case.path);
            }
        }
    }

    #[test]
    fn other_names_are_of_no_corpus() {
        for path in [
            "",
            "a.wav",
            "SM_F10_A010.wav",
            "SM1_F10_B010.wav",
            "SM1_F10_.wav",
            "03a01Xa.wav",
            "03a01F.wav",
            "03a01é.wav",
            "XX/a01.wav",
            "DC/a1.wav",
            "DC/é01.wav",
            "DC/é.wav",
            "dis-x1-b1.wav",
            "dis-f1.wav",
            "03-02-05-01-02-01-24.wav",
            "03-01-09-01-02-01-24.wav",
            "03-01-05-01-02-01.wav",
            "3-1-5-1-2-1-24.wav",
            "1688-142285.flac",
            "1688-142285-a.flac",
            "p225_a.flac",
            "p225_003_mic3.flac",
        ] {
            assert!(!SCHEMES.iter().any(|scheme| scheme.fits(Path::new(path))), "{path}");
        }
    }

    proptest! {
        #[test]
        fn no_name_breaks_the_readers(name in "\\PC{0,20}") {
            SCHEMES.iter().for_each(|scheme| { scheme.fits(Path::new(&name)); });
        }
    }

    #[test]
    fn clips_that_do_not_fit_are_told_of() {
        let home = tree(&[("wav/03a01Fa.wav", ""), ("wav/notes.wav", ""), ("erklaerung.txt", "")]);
        let error = EMO_DB.read(home.path()).unwrap_err().to_string();
        assert!(error.contains(&home.path().display().to_string()), "{error}");
        assert!(error.contains("1 of 2 clips") && error.contains("wav/notes.wav"), "{error}");
        assert!(error.contains("expected 03a01Fa.wav"), "{error}");
        let empty = RAVDESS.read(tree(&[("a.txt", "")]).path()).unwrap_err().to_string();
        assert!(empty.contains("no WAV or FLAC") && empty.contains("03-01-05"), "{empty}");
    }
}
