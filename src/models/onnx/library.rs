//! ONNX Runtime's shared library: which one it is, and loading it.

use std::error::Error as _;
use std::ffi::OsString;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use ort::LoadDynamicError;
use ort::environment::Environment;
use ort::logging::LogLevel;

use super::{elf, one_line};
use crate::weights::{self, PullOptions, Registry};
use crate::{Error, Result};

/// Names that systems have it by.
const NAMES: &[&str] = if cfg!(windows) {
    &["onnxruntime.dll"]
} else if cfg!(target_os = "macos") {
    &["libonnxruntime.dylib"]
} else {
    &["libonnxruntime.so", "libonnxruntime.so.1"]
};

const NOT_IT: &str = "it is not ONNX Runtime";
const HOW_TO_GET: &str = "`awaaz models pull onnxruntime` gets it, or name its shared library with --ort-lib or \
                          ORT_DYLIB_PATH";

/// The library that this process uses. There can be no second: it is never unloaded.
static LOADED: Mutex<Option<Library>> = Mutex::new(None);

/// A loaded library.
#[derive(Clone)]
pub(super) struct Library {
    /// Its path, or only its name where the system knows where it is.
    pub path: PathBuf,
    /// What sessions are made in; else why it could not be made, as it cannot be tried again.
    environment: Result<Environment, Arc<str>>,
}

impl Library {
    /// Loads the library, or gives the one that is loaded.
    ///
    /// # Errors
    /// [`Error::Library`] if there is none, if it is damaged, another library or too old, or if it is not the one that
    /// this process uses already.
    pub fn load(asked: Option<&Path>) -> Result<Self> {
        let mut loaded = LOADED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(library) = &*loaded {
            return match asked.filter(|path| !is_same(path, &library.path)) {
                Some(path) => Err(Error::library(
                    path,
                    format!("this process uses {} already; it cannot use two", library.path.display()),
                )),
                None => Ok(library.clone()),
            };
        }
        let place = Place::choose(asked, std::env::var_os("ORT_DYLIB_PATH"), cached);
        let (path, builder) = match place {
            Place::File { path, hint } => {
                let builder =
                    init(&path).map_err(|reason| Error::library(&path, format!("{reason}{hint}")))?;
                (path, builder)
            }
            Place::System => init_system()?,
        };
        // Where the library has not the functions of its version, the first use of them panics.
        let environment = match catch_unwind(ort::api) {
            Ok(_) => {
                builder.with_name("awaaz").with_telemetry(false).build().map_err(|e| one_line(&e).into())
            }
            Err(_) => Err("it has not the functions of its version".into()),
        };
        if let Ok(environment) = &environment
            && std::env::var_os("ORT_LOG").is_none()
        {
            // What fails comes back as an error; on stderr it would spoil the view of a stream.
            environment.set_log_level(LogLevel::Fatal);
        }
        Ok(loaded.insert(Self { path, environment }).clone())
    }

    /// What sessions are made in.
    pub fn environment(&self) -> Result<&Environment> {
        let failed = |reason: &Arc<str>| Error::library(&self.path, format!("cannot start: {reason}"));
        self.environment.as_ref().map_err(failed)
    }
}

/// Where the library is.
#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// At a path, with what to say after an error.
    File { path: PathBuf, hint: &'static str },
    /// Beside the program, or where the system finds libraries.
    System,
}

impl Place {
    /// The path that was asked for, else that of `ORT_DYLIB_PATH`, else the copy in the cache. The first that is there
    /// counts, also if it is of no use: a user who names a library does not want another.
    fn choose(
        asked: Option<&Path>,
        variable: Option<OsString>,
        cached: impl FnOnce() -> Option<PathBuf>,
    ) -> Self {
        if let Some(path) = asked {
            return Self::File { path: path.to_path_buf(), hint: "" };
        }
        if let Some(path) = variable.filter(|value| !value.is_empty()) {
            return Self::File { path: path.into(), hint: "; ORT_DYLIB_PATH names it" };
        }
        let hint = "; `awaaz models pull onnxruntime` replaces it if it is damaged";
        cached().map_or(Self::System, |path| Self::File { path, hint })
    }
}

/// The copy that was pulled into the cache.
fn cached() -> Option<PathBuf> {
    let entry = Registry::builtin().find("onnxruntime").ok()?;
    weights::find(entry, &PullOptions::from_env().ok()?).map(|files| files.weights)
}

fn is_same(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => a == b,
    }
}

type Builder = ort::environment::EnvironmentBuilder;

/// Loads the library at a path.
fn init(path: &Path) -> Result<Builder, String> {
    // A path without a folder would be looked for where the system has libraries.
    let path = std::path::absolute(path).map_err(|e| e.to_string())?;
    let length = match path.metadata() {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) => return Err("it is no file".into()),
        Err(e) => return Err(e.to_string()),
    };
    match elf::least_length(&path) {
        Err(e) => return Err(e.to_string()),
        Ok(Some(least)) if length < least => {
            return Err(format!("it is cut short: {length} of at least {least} bytes"));
        }
        Ok(_) => {}
    }
    // What gives no functions at all makes it panic.
    let loaded = catch_unwind(|| ort::init_from(&path)).map_err(|_| NOT_IT)?;
    loaded.map_err(|e| describe(&e))
}

/// Loads the library that is beside the program or that the system knows.
fn init_system() -> Result<(PathBuf, Builder)> {
    let mut reason = "ONNX Runtime was not found".to_owned();
    // The loader asks where the program is, and insists on an answer.
    let names = if std::env::current_exe().is_ok() { NAMES } else { &[] };
    for name in names {
        match ort::init_from(name) {
            Ok(builder) => return Ok((name.into(), builder)),
            Err(error @ LoadDynamicError::Dlopen { .. }) => reason = describe(&error),
            Err(error) => {
                reason = describe(&error);
                break;
            }
        }
    }
    Err(Error::library(NAMES[0], format!("{reason}; {HOW_TO_GET}")))
}

fn describe(error: &LoadDynamicError) -> String {
    match error {
        LoadDynamicError::Dlopen { error, path } => {
            // The error is only that it failed; the reason below it begins with the path.
            let reason = error.source().map_or_else(|| one_line(error), |reason| one_line(&reason));
            let path = format!("{}: ", path.display());
            format!("cannot be loaded: {}", reason.strip_prefix(&path).unwrap_or(&reason))
        }
        LoadDynamicError::MissingApi { .. } => NOT_IT.into(),
        LoadDynamicError::InvalidVersionString => "it does not say which ONNX Runtime it is".into(),
        LoadDynamicError::BadVersion { version_str, .. } => {
            format!("it is ONNX Runtime {version_str}; 1.{} is the oldest of use here", ort::MINOR_VERSION)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_is_looked_for_where_the_user_says_first() {
        struct Case {
            asked: Option<&'static str>,
            variable: Option<&'static str>,
            cached: Option<&'static str>,
            expected: Option<&'static str>,
        }
        let cases = [
            Case { asked: Some("a"), variable: Some("b"), cached: Some("c"), expected: Some("a") },
            Case { asked: None, variable: Some("b"), cached: Some("c"), expected: Some("b") },
            Case { asked: None, variable: Some(""), cached: Some("c"), expected: Some("c") },
            Case { asked: None, variable: None, cached: Some("c"), expected: Some("c") },
            Case { asked: None, variable: None, cached: None, expected: None },
        ];
        for case in cases {
            let place = Place::choose(case.asked.map(Path::new), case.variable.map(OsString::from), || {
                case.cached.map(PathBuf::from)
            });
            let found = match &place {
                Place::File { path, .. } => path.to_str(),
                Place::System => None,
            };
            assert_eq!(found, case.expected);
        }
    }
}
