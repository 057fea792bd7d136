//! Labelled corpora as they lie on disk, read as one kind of [`Record`]: for training heads and for benchmarks.
//!
//! | layout | what lies there | labels | language |
//! |---|---|---|---|
//! | [`Layout::Adima`] | `annotations/{Language}_{train,test}.csv` of `filename,label`, clips in `SC_audio_{Language}/` | `abusive`, `clean` | ten of India |
//! | [`Layout::AdimaParquet`] | Parquet tables of `path_to_audio`, `abuse`, `language`, with the clips in them | the same | the same |
//! | [`Layout::Urdu`] | `Angry/SM1_F10_A010.wav` | emotions | `ur` |
//! | [`Layout::EmoDb`] | `wav/03a01Fa.wav` | emotions | `de` |
//! | [`Layout::Savee`] | `AudioData/DC/a01.wav`, or `DC_a01.wav` | emotions | `en` |
//! | [`Layout::Emovo`] | `f1/dis-f1-b1.wav` | emotions | `it` |
//! | [`Layout::Ravdess`] | `Actor_01/03-01-05-01-02-01-01.wav`, speech alone | emotions | `en` |
//! | [`Layout::LibriSpeech`] | `1688/142285/1688-142285-0000.flac` | `read` | `en` |
//! | [`Layout::Vctk`] | `p225/p225_003.wav`, `p225_003_mic1.flac` | `read` | `en` |
//! | [`Layout::Macd`] | `{language}_{train,val,test}.csv` of `label,text`, where 0 is abusive | `abusive`, `clean` | five of India |
//! | [`Layout::Manifest`] | `manifest.csv` or `manifest.jsonl` of `path,label,speaker,language,split` | as they stand | as it stands |
//!
//! Nothing is decoded here, clips are WAV or FLAC, and records come in an order that does not depend on the file system.
//! [`Classes`] makes class numbers of labels.
//!
//! ```no_run
//! use awaaz::corpus::datasets::{Classes, Layout};
//!
//! let folder = "corpora/emodb".as_ref();
//! for record in Layout::detect(folder)?.read(folder)? {
//!     let record = record?;
//!     if let Some(class) = Classes::Emotion.class(&record.label) {
//!         println!("{} of {}: {}", record.id, record.group(), Classes::Emotion.names()[class]);
//!     }
//! }
//! # Ok::<(), awaaz::Error>(())
//! ```

mod adima;
mod adima_parquet;
mod classes;
mod detect;
mod files;
mod language;
mod layout;
mod macd;
mod manifest;
mod names;
mod record;
mod speakers;
mod table;

pub use classes::Classes;
pub use layout::{Layout, Records};
pub use record::{Content, Record, Split};
pub use speakers::read_speakers;
