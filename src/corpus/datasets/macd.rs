//! MACD: tables of comments, in which label 0 is abusive and label 1 is not.

use std::path::{Path, PathBuf};

use super::classes::{ABUSIVE, CLEAN};
use super::record::{Content, Record};
use super::{files, language, table};
use crate::{Error, Result};

pub(super) const FORM: &str =
    "{language}_{train,val,test}.csv of label,text, where 0 is abusive and 1 is not";

/// Whether the name of a table is as expected.
pub(super) fn fits(path: &Path) -> bool {
    files::has_extension(path, &["csv"]) && table::language_and_split(path).is_some()
}

/// The comments of a table, or of all tables of a folder.
pub(super) fn read(path: &Path) -> Result<Vec<Record>> {
    let tables: Vec<PathBuf> = match path.is_dir() {
        true => files::within(path, &["csv"])?,
        false => vec![path.to_path_buf()],
    };
    if tables.is_empty() {
        return Err(Error::corpus(path, format!("there is no table; expected {FORM}")));
    }
    Ok(tables
        .iter()
        .map(|table| of_table(table))
        .collect::<Result<Vec<_>>>()?
        .into_iter()
        .flatten()
        .collect())
}

fn of_table(table: &Path) -> Result<Vec<Record>> {
    let (language, split) = table::language_and_split(table).ok_or_else(|| {
        Error::corpus(table, format!("the table's name says no language and split; expected {FORM}"))
    })?;
    let record = |(row, [label, text]): table::Row<2>| {
        let label = match label.trim() {
            "0" => ABUSIVE,
            "1" => CLEAN,
            _ => {
                return Err(Error::corpus(
                    table,
                    format!("row {row}: the label is {label:?}; expected {FORM}"),
                ));
            }
        };
        Ok(Record {
            id: format!("{}/{}", files::stem(table), row),
            content: Content::Text(text),
            label: label.into(),
            speaker: None,
            language: Some(language::code(language)),
            split: Some(split),
        })
    };
    table::rows(table, ["label", "text"])?.into_iter().map(record).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Split;
    use super::super::files::tests::tree;
    use super::*;

    #[test]
    fn zero_is_abusive() {
        let home = tree(&[
            ("malyalam_val.csv", "label,text\n0,\"one, two\"\n1, three\n"),
            ("hindi_test.csv", "label,text\n1,four\n"),
            ("README.md", "# About"),
        ]);
        let found = read(home.path()).unwrap();
        let texts: Vec<_> =
            found.iter().map(|record| (record.id.as_str(), &record.content, record.label.as_str())).collect();
        let [one, three, four] = ["one, two", " three", "four"].map(|text| Content::Text(text.into()));
        let expected = [
            ("hindi_test/1", &four, "clean"),
            ("malyalam_val/1", &one, "abusive"),
            ("malyalam_val/2", &three, "clean"),
        ];
        assert_eq!(texts, expected);
        assert_eq!((found[1].language.as_deref(), found[1].split), (Some("ml"), Some(Split::Validation)));
        assert_eq!(read(&home.path().join("hindi_test.csv")).unwrap(), found[..1]);
    }

    #[test]
    fn errors_say_what_was_expected_and_found() {
        for (name, contents, says) in [
            ("hindi_test.csv", "label,text\n0,a\n2,b\n", "row 2: the label is \"2\""),
            ("hindi_test.csv", "class,tweet\n0,a\n", "found class, tweet"),
            ("labeled_data.csv", "label,text\n0,a\n", "says no language and split"),
            ("a.txt", "", "there is no table"),
        ] {
            let error = read(tree(&[(name, contents)]).path()).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
