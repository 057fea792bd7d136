//! Tells of which layout a corpus is by what lies there.

use std::path::{Path, PathBuf};

use super::files::{self, AUDIO};
use super::layout::Layout;
use super::{adima, adima_parquet, macd, manifest};
use crate::{Error, Result};

pub(super) fn detect(path: &Path) -> Result<Layout> {
    let kind = std::fs::metadata(path).map_err(|error| Error::io(path, error))?;
    if !kind.is_dir() {
        return of_file(path).ok_or_else(|| unknown(path, format!("the file {}", path.display())));
    }
    if !adima::tables(path)?.is_empty() {
        return Ok(Layout::Adima);
    }
    if manifest::within(path).is_some() {
        return Ok(Layout::Manifest);
    }
    if files::within(path, &["csv"])?.iter().any(|table| macd::fits(table)) {
        return Ok(Layout::Macd);
    }
    if !adima_parquet::tables(path)?.is_empty() {
        return Ok(Layout::AdimaParquet);
    }
    of_clips(path, &files::below(path, &AUDIO)?)
}

fn of_file(path: &Path) -> Option<Layout> {
    if files::has_extension(path, &["parquet"]) {
        return Some(Layout::AdimaParquet);
    }
    if macd::fits(path) {
        return Some(Layout::Macd);
    }
    manifest::fits(path).then_some(Layout::Manifest)
}

/// The layout whose names most clips have; the reader tells of those that have not.
fn of_clips(folder: &Path, clips: &[PathBuf]) -> Result<Layout> {
    let fits = |layout: &Layout, clip: &Path| layout.scheme().is_some_and(|scheme| scheme.fits(clip));
    let fitting = |layout: &Layout| clips.iter().filter(|clip| fits(layout, clip)).count();
    if let Some(best) = Layout::ALL.into_iter().find(|layout| 2 * fitting(layout) > clips.len()) {
        return Ok(best);
    }
    let misfit = clips.iter().find(|clip| !Layout::ALL.iter().any(|layout| fits(layout, clip)));
    Err(match misfit.or(clips.first()) {
        Some(clip) => {
            let example = files::id(folder, clip);
            unknown(folder, format!("{} WAV and FLAC files such as {example}", clips.len()))
        }
        None => unknown(folder, "no table, WAV or FLAC file".into()),
    })
}

fn unknown(path: &Path, found: String) -> Error {
    let known = Layout::ALL.map(|layout| format!("{layout} ({})", layout.form())).join("; ");
    Error::corpus(
        path,
        format!(
            "this is laid out as no corpus that is known: found {found}; write a manifest, or lay it out as {known}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::files::tests::tree;
    use super::*;

    #[test]
    fn layouts_are_told_by_what_lies_there() {
        struct Case {
            files: &'static [(&'static str, &'static str)],
            layout: Layout,
        }
        let cases = [
            Case {
                files: &[("annotations/Hindi_train.csv", "filename,label\n"), ("SC_audio_Hindi/a.wav", "")],
                layout: Layout::Adima,
            },
            Case { files: &[("data/train-00000-of-00001.parquet", "")], layout: Layout::AdimaParquet },
            Case { files: &[("Angry/SM1_F10_A010.wav", "")], layout: Layout::Urdu },
            Case { files: &[("wav/03a01Fa.wav", ""), ("labels.txt", "")], layout: Layout::EmoDb },
            Case { files: &[("AudioData/DC/a01.wav", "")], layout: Layout::Savee },
            Case { files: &[("f1/dis-f1-b1.wav", "")], layout: Layout::Emovo },
            Case { files: &[("Actor_01/03-01-05-01-02-01-01.wav", "")], layout: Layout::Ravdess },
            Case { files: &[("1688/1688-142285-0000.flac", "")], layout: Layout::LibriSpeech },
            Case { files: &[("p225/p225_003.flac", "")], layout: Layout::Vctk },
            Case { files: &[("hindi_train.csv", "label,text\n"), ("README.md", "")], layout: Layout::Macd },
            Case {
                files: &[("manifest.csv", "path,label\n"), ("wav/03a01Fa.wav", "")],
                layout: Layout::Manifest,
            },
            Case { files: &[("manifest.jsonl", ""), ("a.wav", "")], layout: Layout::Manifest },
            Case {
                files: &[("wav/03a01Fa.wav", ""), ("wav/03a01Wa.wav", ""), ("wav/noise.wav", "")],
                layout: Layout::EmoDb,
            },
        ];
        for case in cases {
            let home = tree(case.files);
            assert_eq!(Layout::detect(home.path()).unwrap(), case.layout, "{:?}", case.files);
        }
    }

    #[test]
    fn single_tables_are_told_by_their_names() {
        let home = tree(&[
            ("hindi_val.csv", ""),
            ("mine.csv", ""),
            ("mine.jsonl", ""),
            ("a.parquet", ""),
            ("a.txt", ""),
        ]);
        for (name, layout) in [
            ("hindi_val.csv", Some(Layout::Macd)),
            ("mine.csv", Some(Layout::Manifest)),
            ("mine.jsonl", Some(Layout::Manifest)),
            ("a.parquet", Some(Layout::AdimaParquet)),
            ("a.txt", None),
            ("none.csv", None),
        ] {
            assert_eq!(Layout::detect(&home.path().join(name)).ok(), layout, "{name}");
        }
    }

    #[test]
    fn what_is_of_no_layout_is_told_of() {
        let home = tree(&[("x/one.wav", ""), ("x/two.flac", ""), ("wav/03a01Fa.wav", "")]);
        let error = Layout::detect(home.path()).unwrap_err().to_string();
        assert!(error.contains(&home.path().display().to_string()), "{error}");
        assert!(error.contains("3 WAV and FLAC files such as x/one.wav"), "{error}");
        assert!(Layout::ALL.iter().all(|layout| error.contains(layout.form())), "{error}");
        let empty = Layout::detect(tree(&[]).path()).unwrap_err().to_string();
        assert!(empty.contains("found no table"), "{empty}");
        assert!(Layout::detect(&home.path().join("none")).is_err());
    }
}
