//! What can be set, and which URLs are taken.

use std::path::PathBuf;
use std::time::Duration;

use sha2::{Digest, Sha256};
use ureq::http::Uri;

use crate::{Error, Result};

/// Where events go, and what may lie in between.
#[derive(Debug, Clone)]
pub struct WebhookOptions {
    /// `http` or `https`. Reports name only its scheme and host: the rest may hold a secret.
    pub url: String,
    /// The user's cache folder; the spool is `webhook/` and a digest of the URL below it.
    pub cache: PathBuf,
    /// Bytes that the spool may take on disk. Events that do not fit are lost.
    pub bound: u64,
    /// How long everything may take.
    pub timing: Timing,
}

impl WebhookOptions {
    /// Posts to `url`, with the spool in the cache folder `cache`, bounded to 64 MiB.
    pub fn new(url: impl Into<String>, cache: impl Into<PathBuf>) -> Self {
        Self { url: url.into(), cache: cache.into(), bound: 64 << 20, timing: Timing::default() }
    }
}

/// How long sending may take.
#[derive(Debug, Clone)]
pub struct Timing {
    /// How long the first event of a batch waits for others.
    pub gather: Duration,
    /// Longest time to find and reach the receiver.
    pub connect: Duration,
    /// Longest time from the start of a request to the end of its answer.
    pub request: Duration,
    /// Wait after the first failure; it doubles with every other.
    pub first_wait: Duration,
    /// Longest wait after a failure.
    pub longest_wait: Duration,
    /// How long sending may go on after the end of the stream.
    pub deadline: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            gather: Duration::from_millis(500),
            connect: Duration::from_secs(5),
            request: Duration::from_secs(10),
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(60),
            deadline: Duration::from_secs(5),
        }
    }
}

/// A URL that can be posted to.
#[derive(Debug)]
pub struct Target {
    /// All of it.
    pub url: Uri,
    /// Scheme, host and port, without what may be secret.
    pub shown: String,
    /// Names the spool.
    pub digest: String,
}

impl Target {
    /// Takes `http` and `https` URLs with a host.
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |reason: &str| {
            Err(Error::Setting(format!("webhook: {reason}; give a URL such as https://example.org/events")))
        };
        let Ok(url) = text.parse::<Uri>() else { return refuse("this is no URL") };
        let scheme = match url.scheme_str() {
            Some(scheme @ ("http" | "https")) => scheme,
            Some(other) => return refuse(&format!("{other} cannot be posted to, only http and https")),
            None => return refuse("the URL lacks http:// or https://"),
        };
        let host = match url.host() {
            None | Some("") => return refuse("the URL lacks a host"),
            Some(host) => host,
        };
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let shown = format!("{scheme}://{host}{port}");
        let digest = Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { url, shown, digest })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_that_can_be_posted_to_are_taken() {
        let told = |url: &str| Target::parse(url).map(|target| target.shown).map_err(|e| e.to_string());
        assert_eq!(
            told("https://user:secret@example.org:8443/a?token=t").unwrap(),
            "https://example.org:8443"
        );
        assert_eq!(told("http://[::1]:80/").unwrap(), "http://[::1]:80");
        for (url, reason) in [
            ("ftp://example.org/", "ftp cannot be posted to"),
            ("example.org/events", "no URL"),
            ("/events", "lacks http://"),
            ("http://", "no URL"),
            ("http:///events", "no URL"),
            ("http://a b/", "no URL"),
            ("", "no URL"),
        ] {
            let error = told(url).unwrap_err();
            assert!(error.contains(reason), "{url}: {error}");
        }
    }

    #[test]
    fn each_url_has_a_spool_of_its_own() {
        let digest = |url: &str| Target::parse(url).unwrap().digest;
        assert_eq!(digest("http://a/x").len(), 16);
        assert_ne!(digest("http://a/x"), digest("http://a/y"));
    }
}
