//! ADIMA as Parquet tables, which hold the clips themselves: gigabytes, and so they are read row by row.

use std::fmt;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::record::{Content, Record, Split};
use super::{adima, files, language};
use crate::{Error, Result};

pub(super) const FORM: &str =
    "data/{train,test}-*.parquet of path_to_audio (with the sound's bytes), abuse (Yes or No) and language";

/// The columns that are read, by their paths.
const COLUMNS: [&str; 3] = ["path_to_audio.bytes", "abuse", "language"];

/// The tables at `path`, or anywhere below it.
pub(super) fn tables(path: &Path) -> Result<Vec<PathBuf>> {
    if path.is_dir() { files::below(path, &["parquet"]) } else { Ok(vec![path.to_path_buf()]) }
}

/// # Errors
/// As [`tables`], and where there is none.
pub(super) fn open(path: &Path) -> Result<Tables> {
    let tables = tables(path)?;
    if tables.is_empty() {
        return Err(Error::corpus(path, format!("there is no Parquet table; expected {FORM}")));
    }
    Ok(Tables { rest: tables.into_iter(), table: None })
}

/// The rows of several tables.
pub(super) struct Tables {
    rest: std::vec::IntoIter<PathBuf>,
    table: Option<Table>,
}

impl Iterator for Tables {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Result<Record>> {
        let next = self.record().transpose()?;
        if next.is_err() {
            // What follows damage cannot be trusted.
            (self.rest, self.table) = (Vec::new().into_iter(), None);
        }
        Some(next)
    }
}

impl Tables {
    fn record(&mut self) -> Result<Option<Record>> {
        loop {
            if let Some(table) = &mut self.table
                && let Some(record) = guarded(&table.path.clone(), || table.record())?
            {
                return Ok(Some(record));
            }
            let Some(path) = self.rest.next() else { return Ok(None) };
            self.table = Some(guarded(&path, || Table::open(path.clone()))?);
        }
    }
}

/// One table.
struct Table {
    path: PathBuf,
    split: Option<Split>,
    reader: SerializedFileReader<File>,
    /// Where the columns are.
    places: [usize; 3],
    /// The group of rows that is read next.
    group: usize,
    columns: Vec<Column>,
    /// Rows of the present group that are not read yet.
    left: usize,
    /// Rows read.
    row: usize,
}

type Column = ColumnReaderImpl<ByteArrayType>;

impl Table {
    fn open(path: PathBuf) -> Result<Self> {
        let file = File::open(&path).map_err(|error| Error::io(&path, error))?;
        let reader = SerializedFileReader::new(file).map_err(|error| damaged(&path, &error))?;
        let found: Vec<String> = reader
            .metadata()
            .file_metadata()
            .schema_descr()
            .columns()
            .iter()
            .map(|column| column.path().string())
            .collect();
        let mut places = [0; 3];
        for (place, name) in places.iter_mut().zip(COLUMNS) {
            *place = found.iter().position(|found| found == name).ok_or_else(|| {
                Error::corpus(
                    &path,
                    format!("expected the columns {}, and found {}", COLUMNS.join(", "), found.join(", ")),
                )
            })?;
        }
        let split = split(&path);
        Ok(Self { path, split, reader, places, group: 0, columns: Vec::new(), left: 0, row: 0 })
    }

    fn record(&mut self) -> Result<Option<Record>> {
        while self.left == 0 {
            if self.group == self.reader.num_row_groups() {
                return Ok(None);
            }
            self.begin_group()?;
        }
        self.left -= 1;
        self.row += 1;
        let [sound, abuse, language] = [self.value(0)?, self.value(1)?, self.value(2)?];
        let (abuse, language) = (text(&abuse), text(&language));
        let label = adima::label(&abuse)
            .ok_or_else(|| self.fault(format!("abuse is {abuse:?}; expected Yes or No")))?;
        Ok(Some(Record {
            id: format!("{}/{}", files::stem(&self.path), self.row),
            content: Content::Bytes(sound.data().into()),
            label: label.into(),
            speaker: None,
            language: Some(language::code(language.trim())),
            split: self.split,
        }))
    }

    fn begin_group(&mut self) -> Result<()> {
        let of_column = |(&place, name): (&usize, &str)| -> Result<Column> {
            let group = self.reader.get_row_group(self.group).map_err(|error| damaged(&self.path, &error))?;
            match group.get_column_reader(place).map_err(|error| damaged(&self.path, &error))? {
                ColumnReader::ByteArrayColumnReader(column) => Ok(column),
                _ => Err(Error::corpus(
                    &self.path,
                    format!("{name} is neither text nor bytes; expected {FORM}"),
                )),
            }
        };
        self.columns = self.places.iter().zip(COLUMNS).map(of_column).collect::<Result<_>>()?;
        let rows = self.reader.metadata().row_group(self.group).num_rows();
        self.left = usize::try_from(rows).map_err(|_| self.fault(format!("there are {rows} rows")))?;
        self.group += 1;
        Ok(())
    }

    /// The next value of a column.
    fn value(&mut self, column: usize) -> Result<ByteArray> {
        let (mut values, mut levels) = (Vec::new(), Vec::new());
        let read = self.columns[column].read_records(1, Some(&mut levels), None, &mut values);
        read.map_err(|error| damaged(&self.path, &error))?;
        values.pop().ok_or_else(|| self.fault(format!("{} is empty; expected {FORM}", COLUMNS[column])))
    }

    fn fault(&self, reason: String) -> Error {
        Error::corpus(&self.path, format!("row {}: {reason}", self.row))
    }
}

/// The split that the table's name begins with, or that its folder is called.
fn split(path: &Path) -> Option<Split> {
    let name = files::stem(path).split('-').next().unwrap_or_default();
    let folder = path.parent().map(files::stem).unwrap_or_default();
    Split::named(name).or_else(|| Split::named(folder))
}

fn text(bytes: &ByteArray) -> String {
    String::from_utf8_lossy(bytes.data()).into_owned()
}

/// Runs a piece of the library, and takes a panic in it for a damaged table: it takes for granted that lengths and places
/// in a table are true. What panicked is not used again.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(damaged(path, &"what is in it does not fit together")))
}

fn damaged(path: &Path, error: &dyn fmt::Display) -> Error {
    Error::corpus(
        path,
        format!(
            "the Parquet table cannot be read: {error}; fetch it again, uncompressed or as Snappy has it"
        ),
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::basic::Compression;
    use parquet::data_type::Int64Type;
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    const SCHEMA: &str = "
        message schema {
            optional group path_to_audio {
                optional binary bytes;
                optional binary path (STRING);
            }
            optional binary abuse (STRING);
            optional binary language (STRING);
        }";

    type Row<'a> = (Option<&'a str>, &'a str, &'a str);

    /// A table of sound, abuse and language, in groups of rows.
    fn table(path: &Path, groups: &[&[Row<'_>]]) {
        let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut writer =
            SerializedFileWriter::new(File::create(path).unwrap(), schema, Arc::new(properties)).unwrap();
        for rows in groups {
            let mut group = writer.next_row_group().unwrap();
            let texts = |of: fn(&Row<'_>) -> Option<ByteArray>| {
                let levels = |level: i16| {
                    rows.iter()
                        .map(|row| if of(row).is_some() { level } else { level - 1 })
                        .collect::<Vec<i16>>()
                };
                (rows.iter().filter_map(of).collect::<Vec<_>>(), levels(1), levels(2))
            };
            for number in 0..4 {
                let mut column = group.next_column().unwrap().unwrap();
                let (values, flat, nested) = match number {
                    0 => texts(|row| row.0.map(ByteArray::from)),
                    1 => texts(|_| Some(ByteArray::from("a.wav"))),
                    2 => texts(|row| Some(ByteArray::from(row.1))),
                    _ => texts(|row| Some(ByteArray::from(row.2))),
                };
                let levels = if number < 2 { nested } else { flat };
                column.typed::<ByteArrayType>().write_batch(&values, Some(&levels), None).unwrap();
                column.close().unwrap();
            }
            group.close().unwrap();
        }
        writer.close().unwrap();
    }

    #[test]
    fn clips_come_with_label_language_and_split() {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data");
        let long = "x".repeat(100_000);
        table(
            &data.join("train-00000-of-00002.parquet"),
            &[
                &[(Some("one"), "Yes", "Hindi"), (Some(&long), "No", "Tamil")],
                &[],
                &[(Some("two"), "No", "Bhojpuri")],
            ],
        );
        table(&data.join("train-00001-of-00002.parquet"), &[]);
        table(&data.join("test-00000-of-00001.parquet"), &[&[(Some("three"), "Yes", "Hindi")]]);
        let found = open(home.path()).unwrap().collect::<Result<Vec<_>>>().unwrap();
        let record = |id: &str, bytes: &str, label: &str, language: &str, split: Split| Record {
            id: id.into(),
            content: Content::Bytes(bytes.as_bytes().into()),
            label: label.into(),
            speaker: None,
            language: Some(language.into()),
            split: Some(split),
        };
        let expected = [
            record("test-00000-of-00001/1", "three", "abusive", "hi", Split::Test),
            record("train-00000-of-00002/1", "one", "abusive", "hi", Split::Train),
            record("train-00000-of-00002/2", &long, "clean", "ta", Split::Train),
            record("train-00000-of-00002/3", "two", "clean", "bho", Split::Train),
        ];
        assert_eq!(found, expected);
        let one = open(&data.join("test-00000-of-00001.parquet")).unwrap();
        assert_eq!(one.collect::<Result<Vec<_>>>().unwrap(), expected[..1]);
    }

    #[test]
    fn splits_are_named_by_files_or_folders() {
        for (path, expected) in [
            ("data/train-00000-of-00002.parquet", Some(Split::Train)),
            ("default/test/0000.parquet", Some(Split::Test)),
            ("validation.parquet", Some(Split::Validation)),
            ("all.parquet", None),
        ] {
            assert_eq!(split(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn errors_say_what_was_expected_and_found_and_end_the_reading() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("train.parquet");
        let refused = |says: &[&str]| {
            let found: Vec<_> = open(home.path()).unwrap().collect();
            let error = found.last().unwrap().as_ref().unwrap_err().to_string();
            assert!(error.contains("train.parquet"), "{error}");
            assert!(says.iter().all(|says| error.contains(says)), "{error}");
            assert_eq!(found.iter().filter(|record| record.is_err()).count(), 1);
        };
        table(
            &path,
            &[&[
                (Some("one"), "Yes", "Hindi"),
                (Some("two"), "maybe", "Hindi"),
                (Some("three"), "No", "Hindi"),
            ]],
        );
        refused(&["row 2", "abuse is \"maybe\"", "Yes or No"]);
        table(&path, &[&[(None, "Yes", "Hindi")]]);
        refused(&["row 1", "path_to_audio.bytes is empty"]);
        std::fs::write(&path, "no table").unwrap();
        refused(&["cannot be read"]);
        assert!(open(tempfile::tempdir().unwrap().path()).is_err());
    }

    #[test]
    fn columns_that_are_others_are_told_of() {
        for (schema, says) in [
            ("message schema { required binary audio; }", "and found audio"),
            (
                "message schema { required group path_to_audio { required binary bytes; } required int64 abuse; required binary language; }",
                "abuse is neither text nor bytes",
            ),
        ] {
            let home = tempfile::tempdir().unwrap();
            let path = home.path().join("train.parquet");
            let schema = Arc::new(parse_message_type(schema).unwrap());
            let mut writer =
                SerializedFileWriter::new(File::create(&path).unwrap(), schema, Arc::default()).unwrap();
            let mut group = writer.next_row_group().unwrap();
            let mut number = 0;
            while let Some(mut column) = group.next_column().unwrap() {
                match number {
                    1 => column.typed::<Int64Type>().write_batch(&[1], None, None).unwrap(),
                    _ => column
                        .typed::<ByteArrayType>()
                        .write_batch(&[ByteArray::from("x")], None, None)
                        .unwrap(),
                };
                column.close().unwrap();
                number += 1;
            }
            group.close().unwrap();
            writer.close().unwrap();
            let error = open(home.path()).unwrap().next().unwrap().unwrap_err().to_string();
            assert!(error.contains("train.parquet") && error.contains(says), "{error}");
        }
    }

    /// Whatever is damaged, rows come or an error, and reading ends.
    #[test]
    fn damaged_tables_end() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("train.parquet");
        table(&path, &[&[(Some("one"), "Yes", "Hindi"), (Some("two"), "No", "Tamil")]]);
        let whole = std::fs::read(&path).unwrap();
        for length in 0..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            assert!(open(&path).unwrap().any(|record| record.is_err()), "{length}");
        }
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..2000 {
            let mut bytes = whole.clone();
            let at = random.usize(..bytes.len());
            bytes[at] = random.u8(..);
            std::fs::write(&path, &bytes).unwrap();
            let found: Vec<_> = open(&path).unwrap().collect();
            assert!(found.len() <= 3 && found.iter().rev().skip(1).all(|record| record.is_ok()));
        }
    }
}
