//! Tables as comma-separated values, of which the columns have names.

use std::path::Path;

use super::files;
use super::record::Split;
use crate::{Error, Result};

/// A row's number, counted from 1 below the header, and its columns. Lines are not counted: a text may have several.
pub(super) type Row<const N: usize> = (usize, [String; N]);

/// The columns `names` of every row; others are passed over.
pub(super) fn rows<const N: usize>(path: &Path, names: [&str; N]) -> Result<Vec<Row<N>>> {
    let mut reader = csv::Reader::from_path(path).map_err(|error| fault(path, error))?;
    let header = reader.headers().map_err(|error| fault(path, error))?.clone();
    let column = |name: &str| header.iter().position(|column| column.trim() == name);
    let mut columns = [0; N];
    for (place, name) in columns.iter_mut().zip(names) {
        *place = column(name).ok_or_else(|| {
            let found = header.iter().collect::<Vec<_>>().join(", ");
            Error::corpus(path, format!("expected the columns {}, and found {found}", names.join(", ")))
        })?;
    }
    let row = |(number, row): (usize, csv::Result<csv::StringRecord>)| {
        let row = row.map_err(|error| fault(path, error))?;
        // Every row has as many fields as the header, or the reader refuses it.
        Ok((number, columns.map(|column| row.get(column).unwrap_or_default().to_string())))
    };
    (1..).zip(reader.records()).map(row).collect()
}

/// The language and the split that a table is named after, as in `Hindi_train.csv`.
pub(super) fn language_and_split(table: &Path) -> Option<(&str, Split)> {
    let (language, split) = files::stem(table).rsplit_once('_')?;
    Some((language, Split::named(split)?)).filter(|_| !language.is_empty())
}

/// What is known of an error of the reader: the file, and where in it.
pub(super) fn fault(path: &Path, error: csv::Error) -> Error {
    let text = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => Error::io(path, source),
        _ => Error::corpus(path, text),
    }
}

#[cfg(test)]
mod tests {
    use super::super::files::tests::tree;
    use super::*;

    #[test]
    fn columns_are_found_by_name_and_rows_counted() {
        let home = tree(&[("a.csv", "\u{feff}x,text,label\n1,\"a, b\nc\",Yes\r\n2,d,No\n")]);
        let found = rows(&home.path().join("a.csv"), ["label", "text"]).unwrap();
        let row = |number: usize, label: &str, text: &str| (number, [label.to_string(), text.to_string()]);
        assert_eq!(found, [row(1, "Yes", "a, b\nc"), row(2, "No", "d")]);
    }

    #[test]
    fn names_of_tables_say_language_and_split() {
        for (name, expected) in [
            ("a/Hindi_train.csv", Some(("Hindi", Split::Train))),
            ("sign_language_val.csv", Some(("sign_language", Split::Validation))),
            ("tamil_dev.csv", Some(("tamil", Split::Validation))),
            ("_test.csv", None),
            ("hindi_all.csv", None),
            ("test.csv", None),
        ] {
            assert_eq!(language_and_split(Path::new(name)), expected, "{name}");
        }
    }

    #[test]
    fn errors_name_the_file_and_what_is_wrong() {
        let home = tree(&[
            ("a.csv", "filename,class\na.wav,Yes\n"),
            ("b.csv", "filename,label\na.wav\n"),
            ("c.csv", ""),
        ]);
        std::fs::write(home.path().join("d.csv"), b"filename,label\n\xff,Yes\n").unwrap();
        for (name, says) in [
            ("a.csv", "expected the columns filename, label, and found filename, class"),
            ("b.csv", "line: 2"),
            ("c.csv", "expected the columns filename, label"),
            ("d.csv", "UTF-8"),
            ("e.csv", "No such file"),
        ] {
            let error = rows(&home.path().join(name), ["filename", "label"]).unwrap_err().to_string();
            assert!(error.contains(name) && error.contains(says), "{error}");
        }
    }
}
