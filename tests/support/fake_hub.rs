//! A web server in a thread that answers as the Hugging Face hub and its content network do, with the
//! faults that a test asks for.

use std::collections::{BTreeMap, VecDeque};
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use sha2::{Digest, Sha256};

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What goes wrong with one request for a file's bytes.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// This status, without a body.
    Status(u16),
    /// The connection ends after so many bytes of the body.
    CutAfter(usize),
    /// The right number of bytes, but one of them is wrong.
    WrongBytes,
    /// The whole file, though only a part was asked for.
    IgnoreRange,
}

/// One request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// The first byte of a `Range: bytes=N-`.
    pub range: Option<usize>,
    pub authorization: Option<String>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    faults: VecDeque<Fault>,
    refusals: VecDeque<u16>,
    log: Vec<Request>,
}

/// The hub and its content network, each an origin of its own.
pub struct FakeHub {
    pub endpoint: String,
    state: Arc<Mutex<State>>,
}

impl FakeHub {
    /// Serves these files of one repository. `*.safetensors` are large files.
    pub fn serving(files: &[(&str, &[u8])]) -> Self {
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())).collect();
        let state = Arc::new(Mutex::new(State { files, ..State::default() }));
        let content_network = listen(state.clone(), String::new());
        let endpoint = listen(state.clone(), content_network);
        Self { endpoint, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The next requests for bytes of large files meet these, in that order.
    pub fn then(&self, faults: impl IntoIterator<Item = Fault>) {
        self.state().faults.extend(faults);
    }

    /// The next requests to the hub itself get these statuses.
    pub fn refuses(&self, statuses: impl IntoIterator<Item = u16>) {
        self.state().refusals.extend(statuses);
    }

    pub fn log(&self) -> Vec<Request> {
        self.state().log.clone()
    }

    /// The requests for bytes of large files, by where they start.
    pub fn ranges(&self) -> Vec<Option<usize>> {
        self.log()
            .iter()
            .filter(|r| r.method == "GET" && r.path.starts_with("/content/"))
            .map(|r| r.range)
            .collect()
    }
}

/// Listens on a free port, answers in threads of their own, and returns the origin.
fn listen(state: Arc<Mutex<State>>, content_network: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (state, content_network) = (state.clone(), content_network.clone());
            // A client that hangs up early is part of the tests.
            std::thread::spawn(move || answer(&stream, &state, &content_network).unwrap_or_default());
        }
    });
    origin
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let first = lines.next()?;
    let mut words = first.split(' ');
    let mut request = Request {
        method: words.next()?.into(),
        path: words.next()?.into(),
        range: None,
        authorization: None,
    };
    for line in lines.take_while(|line| !line.is_empty()) {
        let (name, value) = line.split_once(": ")?;
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = value.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok(),
            "authorization" => request.authorization = Some(value.into()),
            _ => {}
        }
    }
    Some(request)
}

fn answer(stream: &TcpStream, state: &Mutex<State>, content_network: &str) -> std::io::Result<()> {
    let Some(request) = read_request(stream) else { return Ok(()) };
    let mut state = state.lock().unwrap();
    state.log.push(request.clone());
    if request.path.starts_with("/api/models/") {
        return reply(stream, 200, &[], listing(&state.files).as_bytes());
    }
    let name = request.path.rsplit('/').next().unwrap_or_default();
    let Some(bytes) = state.files.get(name).cloned() else { return reply(stream, 404, &[], &[]) };
    let is_content = request.path.starts_with("/content/");
    if !is_content && let Some(status) = state.refusals.pop_front() {
        return reply(stream, status, &[], &[]);
    }
    let commit = ("X-Repo-Commit", COMMIT.to_owned());
    let length = |bytes: &[u8]| ("Content-Length", bytes.len().to_string());
    if !is_content && name.ends_with(".safetensors") {
        let headers = [
            commit,
            ("X-Linked-Etag", format!("\"{}\"", sha256(&bytes))),
            ("X-Linked-Size", bytes.len().to_string()),
            ("Location", format!("{content_network}/content/{name}")),
            ("Content-Length", "0".into()),
        ];
        return reply(stream, 302, &headers, &[]);
    }
    if !is_content {
        // A file in git: its ETag is git's hash, of no use for verifying.
        let headers =
            [commit, ("ETag", "\"9daeafb9864cf43055ae93beb0afd6c7d144bfa4\"".into()), length(&bytes)];
        return reply(stream, 200, &headers, if request.method == "HEAD" { &[] } else { &bytes });
    }
    let fault = state.faults.pop_front();
    drop(state);
    let start = request.range.filter(|_| !matches!(fault, Some(Fault::IgnoreRange)));
    let Some(rest) = bytes.get(start.unwrap_or(0)..).filter(|rest| !rest.is_empty()) else {
        return reply(stream, 416, &[], &[]);
    };
    let mut rest = rest.to_vec();
    let mut headers = vec![length(&rest)];
    if let Some(start) = start {
        headers.push(("Content-Range", format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len())));
    }
    match fault {
        Some(Fault::Status(status)) => return reply(stream, status, &[], &[]),
        Some(Fault::CutAfter(count)) => rest.truncate(count),
        Some(Fault::WrongBytes) => rest[0] ^= 1,
        Some(Fault::IgnoreRange) | None => {}
    }
    reply(stream, if start.is_some() { 206 } else { 200 }, &headers, &rest)
}

/// What the hub says of a repository, in part.
fn listing(files: &BTreeMap<String, Vec<u8>>) -> String {
    let sibling =
        |(name, bytes): (&String, &Vec<u8>)| format!(r#"{{"rfilename": "{name}", "size": {}}}"#, bytes.len());
    let siblings: Vec<String> = files.iter().map(sibling).collect();
    format!(r#"{{"id": "owner/name", "sha": "{COMMIT}", "siblings": [{}]}}"#, siblings.join(", "))
}

fn reply(
    mut stream: &TcpStream,
    status: u16,
    headers: &[(&str, String)],
    body: &[u8],
) -> std::io::Result<()> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    stream.write_all(format!("HTTP/1.1 {status} status\r\nConnection: close\r\n{headers}\r\n").as_bytes())?;
    stream.write_all(body)
}
