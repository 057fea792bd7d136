//! One batch to the receiver, and what its answer means.

use std::time::{Duration, SystemTime};

use ureq::Agent;
use ureq::http::{HeaderMap, StatusCode, Uri, header};

use super::options::Timing;

/// A receiver that asks for a longer pause than this is asked again after it.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// What became of a batch.
#[derive(Debug, PartialEq)]
pub enum Outcome {
    /// The receiver has it.
    Accepted,
    /// The receiver will never take it.
    Refused(String),
    /// The same batch may be taken later.
    Later {
        /// Why not now.
        reason: String,
        /// How long the receiver asks to wait.
        pause: Option<Duration>,
    },
}

/// Posts to one URL.
pub struct Client {
    agent: Agent,
    url: Uri,
    request: Duration,
}

impl Client {
    /// Posts to `url`.
    pub fn new(url: Uri, timing: &Timing) -> Self {
        let config = Agent::config_builder()
            .user_agent(concat!("awaaz/", env!("CARGO_PKG_VERSION")))
            .http_status_as_error(false)
            // A redirected POST would become a GET.
            .max_redirects(0)
            .timeout_resolve(Some(timing.connect))
            .timeout_connect(Some(timing.connect))
            .build();
        Self { agent: config.new_agent(), url, request: timing.request }
    }

    /// Posts `events`, each JSON, as an array, within `limit`.
    pub fn post(&self, events: &[String], limit: Duration) -> Outcome {
        let body = format!("[{}]", events.join(","));
        let answer = self
            .agent
            .post(&self.url)
            .config()
            .timeout_global(Some(self.request.min(limit)))
            .build()
            .content_type("application/json")
            .send(body);
        match answer {
            Ok(answer) => outcome(answer.status(), answer.headers(), SystemTime::now()),
            Err(error) => Outcome::Later { reason: error.to_string(), pause: None },
        }
    }
}

fn outcome(status: StatusCode, headers: &HeaderMap, now: SystemTime) -> Outcome {
    if status.is_success() {
        return Outcome::Accepted;
    }
    let mut reason = format!("the receiver answers {status}");
    let passes = matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
    if status.is_client_error() && !passes {
        return Outcome::Refused(reason);
    }
    if status.is_redirection() {
        reason.push_str("; give the URL that it redirects to");
    }
    let asked = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    Outcome::Later { reason, pause: asked.and_then(|asked| pause(asked, now)) }
}

/// A `Retry-After`: seconds, or a date.
fn pause(asked: &str, now: SystemTime) -> Option<Duration> {
    let pause = match asked.trim().parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(asked.trim()).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(pause.min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_means_what_its_status_says() {
        let means = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            outcome(status, &HeaderMap::new(), SystemTime::UNIX_EPOCH)
        };
        for status in [200, 201, 202, 204] {
            assert_eq!(means(status), Outcome::Accepted, "{status}");
        }
        for status in [400, 401, 403, 404, 410, 413, 422] {
            assert!(matches!(means(status), Outcome::Refused(_)), "{status}");
        }
        for status in [301, 307, 408, 429, 500, 502, 503, 504] {
            assert!(matches!(means(status), Outcome::Later { pause: None, .. }), "{status}");
        }
    }

    #[test]
    fn a_receiver_may_ask_for_a_pause() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_770);
        assert_eq!(pause("7", now), Some(Duration::from_secs(7)));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:37 GMT", now), Some(Duration::from_secs(7)));
        assert_eq!(pause("Sat, 05 Nov 1994 08:49:37 GMT", now), Some(Duration::ZERO));
        assert_eq!(pause("99999999", now), Some(LONGEST_PAUSE));
        assert_eq!(pause("soon", now), None);
        assert_eq!(pause("-1", now), None);
    }
}
