//! Embeddings as a Parquet table.

use std::sync::Arc;

use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, FloatType, Int32Type};
use parquet::errors::Result as ParquetResult;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;

use super::Embedding;
use crate::{Error, Result};

const SCHEMA: &str = "
    message embedding {
        required binary id (STRING);
        required double start;
        required double end;
        optional double hop;
        required int32 rows;
        required int32 width;
        required group values (LIST) {
            repeated group list {
                required float element;
            }
        }
    }";

/// A Parquet file with a row for each of `embeddings`: `id`, `start`, `end` and `hop` in seconds (no hop where there is one
/// row for all), `rows`, `width`, and `values`, row by row.
///
/// # Errors
/// [`Error::Setting`] where the library refuses, which no embedding makes it do.
pub fn to_parquet(embeddings: &[Embedding]) -> Result<Vec<u8>> {
    written(embeddings).map_err(|error| Error::Setting(format!("parquet: {error}")))
}

fn written(embeddings: &[Embedding]) -> ParquetResult<Vec<u8>> {
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(WriterProperties::new()))?;
    let mut group = writer.next_row_group()?;
    write_group(&mut group, embeddings)?;
    group.close()?;
    writer.close()?;
    Ok(bytes)
}

fn write_group(
    group: &mut SerializedRowGroupWriter<&mut Vec<u8>>,
    embeddings: &[Embedding],
) -> ParquetResult<()> {
    let mut number = 0;
    while let Some(mut column) = group.next_column()? {
        let doubles = |of: fn(&Embedding) -> f64| embeddings.iter().map(of).collect::<Vec<f64>>();
        let sizes =
            |of: fn(&Embedding) -> usize| embeddings.iter().map(|e| of(e) as i32).collect::<Vec<i32>>();
        match number {
            0 => {
                let ids: Vec<ByteArray> = embeddings.iter().map(|e| ByteArray::from(e.id.as_str())).collect();
                column.typed::<ByteArrayType>().write_batch(&ids, None, None)?
            }
            1 => column.typed::<DoubleType>().write_batch(&doubles(|e| e.span.0), None, None)?,
            2 => column.typed::<DoubleType>().write_batch(&doubles(|e| e.span.1), None, None)?,
            3 => {
                let hops: Vec<f64> = embeddings.iter().filter_map(|e| e.hop).collect();
                let present: Vec<i16> = embeddings.iter().map(|e| i16::from(e.hop.is_some())).collect();
                column.typed::<DoubleType>().write_batch(&hops, Some(&present), None)?
            }
            4 => column.typed::<Int32Type>().write_batch(&sizes(Embedding::rows), None, None)?,
            5 => column.typed::<Int32Type>().write_batch(&sizes(|e| e.width), None, None)?,
            _ => {
                let values: Vec<f32> = embeddings.iter().flat_map(|e| e.values.iter().copied()).collect();
                let levels = levels(embeddings);
                column.typed::<FloatType>().write_batch(&values, Some(&levels.0), Some(&levels.1))?
            }
        };
        column.close()?;
        number += 1;
    }
    Ok(())
}

/// Definition and repetition levels of the lists of values: each list begins with repetition level 0; one without a value
/// has definition level 0.
fn levels(embeddings: &[Embedding]) -> (Vec<i16>, Vec<i16>) {
    let (mut definitions, mut repetitions) = (Vec::new(), Vec::new());
    for embedding in embeddings {
        if embedding.values.is_empty() {
            definitions.push(0);
            repetitions.push(0);
        }
        for index in 0..embedding.values.len() {
            definitions.push(1);
            repetitions.push(i16::from(index > 0));
        }
    }
    (definitions, repetitions)
}

#[cfg(test)]
mod tests {
    use super::super::tests::sample;
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};

    #[test]
    fn a_table_reads_back() {
        let empty = Embedding { id: "empty".into(), values: Vec::new(), ..sample(Some(0.02)) };
        let bytes = to_parquet(&[sample(Some(0.02)), empty, sample(None)]).unwrap();
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("a.parquet");
        std::fs::write(&path, bytes).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(&path).unwrap()).unwrap();
        let rows: Vec<String> =
            reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert_eq!(
            rows,
            [
                r#"{id: "talks/a", start: 0E0, end: 1.5, hop: 0.02, rows: 1, width: 3, values: [1.0, -2E0, 0.5]}"#,
                r#"{id: "empty", start: 0E0, end: 1.5, hop: 0.02, rows: 0, width: 3, values: []}"#,
                r#"{id: "talks/a", start: 0E0, end: 1.5, hop: null, rows: 1, width: 3, values: [1.0, -2E0, 0.5]}"#,
            ]
        );
    }
}
