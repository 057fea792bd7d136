//! A web server in a thread that takes events, with the faults that a test asks for.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use awaaz::event::Event;

/// What a request meets.
#[derive(Debug, Clone)]
pub enum Answer {
    /// This status; 2xx takes the events.
    Status(u16),
    /// 503 with a `Retry-After` of so many seconds.
    Busy(u64),
    /// Nothing at all for so long.
    Silence(Duration),
    /// The events are taken, but the connection ends before that is said.
    TakenUnsaid,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub at: Instant,
    pub content_type: String,
    pub body: String,
}

#[derive(Default)]
struct State {
    answers: VecDeque<Answer>,
    requests: Vec<Request>,
    taken: Vec<Event>,
}

pub struct Receiver {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// Listens on a free port; after `answers`, every request gets 200.
    pub fn answering(answers: impl IntoIterator<Item = Answer>) -> Self {
        Self::on("127.0.0.1:0".parse().unwrap(), answers)
    }

    /// Listens on that address.
    pub fn on(address: SocketAddr, answers: impl IntoIterator<Item = Answer>) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let state =
            Arc::new(Mutex::new(State { answers: answers.into_iter().collect(), ..State::default() }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                // A client that hangs up early is part of the tests.
                std::thread::spawn(move || while serve(&stream, &shared).is_some() {});
            }
        });
        Self { address, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn url(&self) -> String {
        format!("http://{}/events", self.address)
    }

    pub fn requests(&self) -> Vec<Request> {
        self.state().requests.clone()
    }

    /// The ids of the events taken, in order.
    pub fn ids(&self) -> Vec<String> {
        self.state().taken.iter().map(|event| event.id.clone()).collect()
    }

    /// Waits until so many events have been taken.
    pub fn wait_for(&self, count: usize) {
        let start = Instant::now();
        while self.state().taken.len() < count {
            assert!(
                start.elapsed() < Duration::from_secs(20),
                "only {} events came",
                self.state().taken.len()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// An address where nothing listens.
pub fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Serves one request; none when the connection is at its end.
fn serve(stream: &TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(": "))
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.to_owned())
    };
    let mut body = vec![0; header("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).unwrap();
    let answer = {
        let mut state = state.lock().unwrap();
        let content_type = header("content-type").unwrap_or_default();
        state.requests.push(Request { at: Instant::now(), content_type, body: body.clone() });
        state.answers.pop_front().unwrap_or(Answer::Status(200))
    };
    let take = || {
        let events: Vec<Event> = serde_json::from_str(&body).unwrap();
        state.lock().unwrap().taken.extend(events);
    };
    let (status, more) = match answer {
        Answer::Status(status) => (status, String::new()),
        Answer::Busy(seconds) => (503, format!("Retry-After: {seconds}\r\n")),
        Answer::Silence(length) => {
            std::thread::sleep(length);
            return None;
        }
        Answer::TakenUnsaid => {
            take();
            return None;
        }
    };
    if (200..300).contains(&status) {
        take();
    }
    write!(&mut &*stream, "HTTP/1.1 {status} X\r\nContent-Length: 0\r\n{more}\r\n").ok()
}
