//! Models of the Hugging Face hub.
//!
//! Plain HTTP, because the `hf-hub` crate (0.5) checks no digests, gives up after five seconds where
//! another process holds its lock, and has no time limits.
//!
//! A file is at `{endpoint}/{repository}/resolve/{revision}/{file}`. For a large file the answer is a
//! redirect to a content network, with the file's SHA-256 in `X-Linked-Etag`, its length in
//! `X-Linked-Size` and the commit in `X-Repo-Commit`. A small file is in git, and its `ETag` is git's own
//! hash: there the transport is trusted.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ureq::http::{Response, Uri, header};
use ureq::{Agent, Body};

use super::cache::FileRecord;
use super::copy::{CopyError, copy};
use super::digest::Sha256;
use super::hub_listing::Listing;
use super::pull::{Failure, Fetched, PullEvent, PullOptions};
use super::registry::{HubFile, HubSource};
use crate::Error;

/// Without an answer for so long, the next source is tried.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Without a byte for so long, the connection counts as broken.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// How often in a row a request may bring nothing.
const ATTEMPTS: u32 = 4;
/// The wait before the second attempt; it doubles with every other.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const REDIRECT_LIMIT: usize = 10;
/// A file whose length the hub does not announce is a small one.
const UNANNOUNCED_LIMIT: u64 = 64 * 1024 * 1024;
/// A list of a repository's files is no longer than this.
const LISTING_LIMIT: u64 = 16 * 1024 * 1024;

/// Fills `staging` with the files of the source, verified.
pub(super) fn fetch(source: &HubSource, staging: &Path, options: &PullOptions) -> Fetched {
    let client = Client::new(options);
    let (mut revision, files) = match source.files.as_slice() {
        [] => client.model_files(source)?,
        files => (source.revision.clone(), files.to_vec()),
    };
    let mut records = Vec::new();
    for file in &files {
        let url = format!(
            "{}/{}/resolve/{}/{}",
            options.hub_endpoint.trim_end_matches('/'),
            source.repository,
            revision.replace('/', "%2F"),
            file.name
        );
        let announced = client.announced(&url)?;
        records.push(client.fetch_file(&url, file, &announced, staging)?);
        // All files from one commit, even if the branch moves in the meantime.
        revision = announced.commit.unwrap_or(revision);
    }
    Ok(records)
}

struct Client<'a> {
    agent: Agent,
    options: &'a PullOptions,
    /// Whether the hub has answered at all. Until then, failing to reach it is no passing trouble: a
    /// machine without a way to it should get to the next source at once.
    answered: Cell<bool>,
}

/// What the hub says of a file before it sends it.
#[derive(Default)]
struct Announced {
    sha256: Option<Sha256>,
    etag: Option<String>,
    size: Option<u64>,
    commit: Option<String>,
}

impl Announced {
    /// Notes what the answer on the way to the file says. The first to say it is the hub itself.
    fn note(&mut self, response: &Response<Body>) {
        let text = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.trim().to_owned());
        let tag =
            |name: &str| text(name).map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_owned());
        let linked = tag("x-linked-etag");
        self.sha256 = self.sha256.or_else(|| linked.as_ref()?.parse().ok());
        self.etag = self.etag.take().or(linked).or_else(|| tag("etag"));
        self.commit = self.commit.take().or_else(|| text("x-repo-commit"));
        self.size = self.size.or_else(|| text("x-linked-size")?.parse().ok());
        if self.size.is_none() && response.status().is_success() {
            self.size = text("content-length").and_then(|length| length.parse().ok());
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Head,
    /// From that byte on.
    Get(u64),
}

/// Why a request brought nothing.
enum Setback {
    /// The same request may succeed a little later.
    Passing(String),
    Final(Failure),
}

impl Setback {
    fn unavailable(reason: impl ToString) -> Self {
        Self::Final(Failure::Unavailable(reason.to_string()))
    }
}

impl<'a> Client<'a> {
    fn new(options: &'a PullOptions) -> Self {
        let config = Agent::config_builder()
            .user_agent(concat!("awaaz/", env!("CARGO_PKG_VERSION")))
            // Lengths and ranges are those of the file, not of a compressed form of it.
            .accept_encoding("identity")
            // Redirects are followed here: their headers are wanted, and the token stays with the hub.
            .max_redirects(0)
            .http_status_as_error(false)
            .timeout_resolve(Some(CONNECT_LIMIT))
            .timeout_connect(Some(CONNECT_LIMIT))
            .timeout_recv_response(Some(SILENCE_LIMIT))
            .timeout_per_read(Some(SILENCE_LIMIT))
            .build();
        Self { agent: config.new_agent(), options, answered: Cell::new(false) }
    }

    /// The commit and the files of a model of which nothing but its repository is known.
    fn model_files(&self, source: &HubSource) -> Result<(String, Vec<HubFile>), Failure> {
        let listing = self.listing(&source.repository, &source.revision)?;
        let files = listing
            .model_files()
            .map_err(|reason| Failure::Unavailable(format!("{} {reason}", source.repository)))?;
        Ok((listing.sha, files))
    }

    /// Asks the hub what is in a repository.
    fn listing(&self, repository: &str, revision: &str) -> Result<Listing, Failure> {
        let url = format!(
            "{}/api/models/{repository}/revision/{}?blobs=true",
            self.options.hub_endpoint.trim_end_matches('/'),
            revision.replace('/', "%2F"),
        );
        let mut attempt = 0;
        let response = loop {
            match self.request(Method::Get(0), &url) {
                Ok((response, _)) => break response,
                Err(Setback::Final(failure)) => return Err(failure),
                Err(Setback::Passing(reason)) => {
                    attempt += 1;
                    self.wait(attempt, reason)?;
                }
            }
        };
        let mut json = Vec::new();
        let mut body = response.into_body().into_reader().take(LISTING_LIMIT);
        body.read_to_end(&mut json).map_err(|e| Failure::Unavailable(format!("{url}: {e}")))?;
        serde_json::from_slice(&json)
            .map_err(|e| Failure::Unavailable(format!("{url}: is no list of a repository's files: {e}")))
    }

    /// Asks the hub about a file.
    fn announced(&self, url: &str) -> Result<Announced, Failure> {
        let mut attempt = 0;
        loop {
            match self.request(Method::Head, url) {
                Ok((_, announced)) => return Ok(announced),
                Err(Setback::Final(failure)) => return Err(failure),
                Err(Setback::Passing(reason)) => {
                    attempt += 1;
                    self.wait(attempt, reason)?;
                }
            }
        }
    }

    /// Downloads a file into `staging`, going on where an earlier pull broke off, and verifies it.
    fn fetch_file(
        &self,
        url: &str,
        file: &HubFile,
        announced: &Announced,
        staging: &Path,
    ) -> Result<FileRecord, Failure> {
        let path = staging.join(&file.name);
        let expected = file.sha256.or(announced.sha256);
        let size = file.size.or(announced.size);
        let record = |sha256: Sha256| -> Result<FileRecord, Failure> {
            let size = fs::metadata(&path).map_err(|e| Error::io(&path, e))?.len();
            Ok(FileRecord { name: file.name.clone(), size, sha256 })
        };
        self.options.report(&PullEvent::File { name: &file.name, total: size });
        if let Some(expected) = expected
            && Sha256::of_file(&path).is_ok_and(|found| found == expected)
        {
            return record(expected);
        }
        let part = partial_path(&path, announced)?;
        self.download(url, &part, size)?;
        let found = Sha256::of_file(&part)?;
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            fs::remove_file(&part).map_err(|e| Error::io(&part, e))?;
            return Err(Failure::corrupt(&file.name, found, expected));
        }
        fs::rename(&part, &path).map_err(|e| Error::io(&path, e))?;
        record(found)
    }

    /// Fetches what `part` still lacks of the `size` bytes, over as many connections as it takes.
    fn download(&self, url: &str, part: &Path, size: Option<u64>) -> Result<(), Failure> {
        let mut attempt = 0;
        loop {
            let have = fs::metadata(part).map_or(0, |metadata| metadata.len());
            if size == Some(have) && part.exists() {
                return Ok(());
            }
            let reason = match self.append(url, part, have, size) {
                Ok(now) if size.is_none_or(|size| now == size) => return Ok(()),
                Ok(now) => format!("{url}: the connection ended after {now} bytes"),
                Err(Setback::Passing(reason)) => reason,
                Err(Setback::Final(failure)) => return Err(failure),
            };
            let advanced = fs::metadata(part).is_ok_and(|metadata| metadata.len() > have);
            attempt = if advanced { 1 } else { attempt + 1 };
            self.wait(attempt, reason)?;
        }
    }

    /// One request for the bytes of a file from `have` on; returns the length that `part` has after it.
    fn append(&self, url: &str, part: &Path, have: u64, size: Option<u64>) -> Result<u64, Setback> {
        let fatal = |e| Setback::Final(Failure::Fatal(Error::io(part, e)));
        let start_over = || fs::write(part, []).map_err(fatal);
        if size.is_some_and(|size| have > size) {
            start_over()?;
            return Err(Setback::Passing(format!("{url}: the part already there was too long")));
        }
        let (response, _) = self.request(Method::Get(have), url)?;
        let start = match response.status().as_u16() {
            206 if range_start(&response) == Some(have) => have,
            200 => 0,
            status => {
                start_over()?;
                return Err(Setback::Passing(format!("{url}: HTTP status {status} for a part of the file")));
            }
        };
        if start == 0 {
            start_over()?;
        }
        let mut out = File::options().append(true).create(true).open(part).map_err(fatal)?;
        let limit = size.unwrap_or(UNANNOUNCED_LIMIT).saturating_sub(start);
        let mut body = response.into_body().into_reader().take(limit + 1);
        let copied = copy(&mut body, &mut out, |done| {
            self.options.report(&PullEvent::Bytes { done: start + done });
            self.options.check_stop()
        });
        out.flush().and_then(|()| out.sync_all()).map_err(fatal)?;
        match copied {
            Ok(copied) if copied > limit => {
                start_over()?;
                Err(Setback::unavailable(format!("{url}: longer than the {limit} bytes announced")))
            }
            Ok(copied) => Ok(start + copied),
            Err(CopyError::Read(e)) => Err(Setback::Passing(format!("{url}: {e}"))),
            Err(CopyError::Write(e)) => Err(fatal(e)),
            Err(CopyError::Stopped(error)) => Err(Setback::Final(error.into())),
        }
    }

    /// Sends a request and follows where it is sent.
    fn request(&self, method: Method, url: &str) -> Result<(Response<Body>, Announced), Setback> {
        let mut announced = Announced::default();
        let mut url = url.to_owned();
        for _ in 0..REDIRECT_LIMIT {
            self.options.check_stop().map_err(|stopped| Setback::Final(stopped.into()))?;
            let response = self.send(method, &url)?;
            announced.note(&response);
            let status = response.status();
            if !status.is_redirection() {
                return judge(status.as_u16(), &url).map(|()| (response, announced));
            }
            // The hub has said all that it knows; where it points to may answer GET alone.
            if method == Method::Head && announced.sha256.is_some() && announced.size.is_some() {
                return Ok((response, announced));
            }
            url = redirect_target(&url, &response).map_err(Setback::unavailable)?;
        }
        Err(Setback::unavailable(format!("{url}: more than {REDIRECT_LIMIT} redirects")))
    }

    fn send(&self, method: Method, url: &str) -> Result<Response<Body>, Setback> {
        let mut request = match method {
            Method::Head => self.agent.head(url),
            Method::Get(_) => self.agent.get(url),
        };
        if let Method::Get(start @ 1..) = method {
            request = request.header(header::RANGE, format!("bytes={start}-"));
        }
        if let Some(token) = &self.options.hub_token
            && origin(url).is_some_and(|to| origin(&self.options.hub_endpoint) == Some(to))
        {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        match request.call() {
            Ok(response) => {
                self.answered.set(true);
                Ok(response)
            }
            Err(error) if self.answered.get() => Err(Setback::Passing(format!("{url}: {error}"))),
            Err(error) => Err(Setback::unavailable(format!("{url}: {error}"))),
        }
    }

    /// Waits before another attempt, or fails with `reason` when there were enough.
    fn wait(&self, attempt: u32, reason: String) -> Result<(), Failure> {
        if attempt >= ATTEMPTS {
            return Err(Failure::Unavailable(reason));
        }
        let until = Instant::now() + FIRST_WAIT * 2_u32.pow(attempt - 1);
        while Instant::now() < until {
            self.options.check_stop()?;
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

/// Where the bytes gather until they are verified. The name has the version of the file in it, so that
/// two versions are never joined; where the hub does not tell it, nothing is kept from earlier.
fn partial_path(path: &Path, announced: &Announced) -> Result<PathBuf, Failure> {
    let version: String = announced
        .etag
        .iter()
        .flat_map(|etag| etag.chars())
        .filter(char::is_ascii_alphanumeric)
        .take(64)
        .collect();
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{version}.part"));
    let part = PathBuf::from(name);
    if version.is_empty() {
        fs::write(&part, []).map_err(|e| Error::io(&part, e))?;
    }
    Ok(part)
}

/// What an answer's status means for the caller.
fn judge(status: u16, url: &str) -> Result<(), Setback> {
    match status {
        // 416: the part that is already there does not fit the file.
        200 | 206 | 416 => Ok(()),
        401 | 403 => Err(Setback::unavailable(format!(
            "{url}: access denied; set HF_TOKEN to a token that may read it"
        ))),
        404 => Err(Setback::unavailable(format!("{url}: not found"))),
        429 | 500..=599 => Err(Setback::Passing(format!("{url}: HTTP status {status}"))),
        _ => Err(Setback::unavailable(format!("{url}: unexpected HTTP status {status}"))),
    }
}

/// `N` of `Content-Range: bytes N-M/L`.
fn range_start(response: &Response<Body>) -> Option<u64> {
    let range = response.headers().get(header::CONTENT_RANGE)?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}

/// Scheme, host and port.
fn origin(url: &str) -> Option<(String, String)> {
    let uri: Uri = url.parse().ok()?;
    Some((uri.scheme_str()?.to_ascii_lowercase(), uri.authority()?.as_str().to_ascii_lowercase()))
}

fn redirect_target(from: &str, response: &Response<Body>) -> Result<String, String> {
    let refused = |reason: &str| format!("{from}: {reason}");
    let location = response.headers().get(header::LOCATION).and_then(|location| location.to_str().ok());
    let location = location.ok_or_else(|| refused("a redirect to nowhere"))?;
    let (scheme, authority) = origin(from).ok_or_else(|| refused("not a web address"))?;
    let target = match location {
        _ if location.starts_with("//") => format!("{scheme}:{location}"),
        _ if location.starts_with('/') => format!("{scheme}://{authority}{location}"),
        _ => location.to_owned(),
    };
    let (target_scheme, _) = origin(&target).ok_or_else(|| refused("a redirect to no web address"))?;
    if scheme == "https" && target_scheme != "https" {
        return Err(refused("a redirect away from https"));
    }
    Ok(target)
}
