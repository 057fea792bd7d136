//! Promise: an event that a webhook has taken reaches the receiver, whatever becomes of either, and the stream never
//! waits for it.

#![cfg(feature = "webhook")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use awaaz::event::{Event, EventKind, VERSION};
use awaaz::output::events::{Notify, Timing, Webhook, WebhookOptions};
use awaaz::pipeline::EventSink;

#[path = "support/receiver.rs"]
mod receiver;
use receiver::{Answer, Receiver, nobody};

fn marker(number: usize) -> Event {
    let kind = EventKind::Marker { name: "x".repeat(40) };
    Event { v: VERSION, id: id(number), stream: "s".into(), t0: 0.0, t1: 0.0, kind, compute: None }
}

fn id(number: usize) -> String {
    format!("marker-{number}")
}

fn ids(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(id).collect()
}

/// The real times by a hundredth.
fn quick() -> Timing {
    Timing {
        gather: Duration::from_millis(5),
        connect: Duration::from_secs(1),
        request: Duration::from_millis(300),
        first_wait: Duration::from_millis(5),
        longest_wait: Duration::from_millis(100),
        deadline: Duration::from_secs(10),
    }
}

/// A webhook in a cache folder of its own, and what it told the user.
struct Scene {
    cache: tempfile::TempDir,
    told: Arc<Mutex<Vec<String>>>,
}

impl Scene {
    fn new() -> Self {
        Self { cache: tempfile::tempdir().unwrap(), told: Arc::default() }
    }

    fn options(&self, url: &str) -> WebhookOptions {
        WebhookOptions { timing: quick(), ..WebhookOptions::new(url, self.cache.path()) }
    }

    fn notify(&self) -> Notify {
        let told = self.told.clone();
        Arc::new(move |line| told.lock().unwrap().push(line.into()))
    }

    fn open(&self, url: &str) -> Webhook {
        self.open_with(&self.options(url))
    }

    fn open_with(&self, options: &WebhookOptions) -> Webhook {
        Webhook::open(options, self.notify()).unwrap()
    }

    /// Puts events into the spool while the receiver is away.
    fn leave(&self, url: &str, numbers: std::ops::Range<usize>) {
        let mut options = self.options(url);
        options.timing.deadline = Duration::ZERO;
        let mut webhook = self.open_with(&options);
        write(&mut webhook, numbers);
        webhook.finish().unwrap();
        drop(webhook);
        self.wait_until_free();
    }

    /// A request that was under way at the deadline holds the spool until it ends; the end of a process would not wait.
    fn wait_until_free(&self) {
        let start = Instant::now();
        for lock in self.files("lock") {
            while fs::File::open(&lock).unwrap().try_lock().is_err() {
                assert!(start.elapsed() < Duration::from_secs(10), "{} is still held", lock.display());
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    fn told(&self) -> String {
        self.told.lock().unwrap().join("\n")
    }

    /// All files of all spools, by name.
    fn files(&self, ending: &str) -> Vec<PathBuf> {
        let walk = walkdir::WalkDir::new(self.cache.path()).sort_by_file_name();
        let paths = walk.into_iter().map(|entry| entry.unwrap().into_path());
        paths.filter(|path| path.is_file() && path.to_string_lossy().ends_with(ending)).collect()
    }
}

fn write(webhook: &mut Webhook, numbers: std::ops::Range<usize>) {
    for number in numbers {
        webhook.write(&marker(number)).unwrap();
    }
}

fn first_of_each(ids: Vec<String>) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    ids.into_iter().filter(|id| seen.insert(id.clone())).collect()
}

#[test]
fn events_come_in_order_as_arrays_of_json() {
    let (scene, receiver) = (Scene::new(), Receiver::answering([]));
    let mut webhook = scene.open(&receiver.url());
    write(&mut webhook, 0..250);
    webhook.finish().unwrap();
    assert_eq!(receiver.ids(), ids(0..250));
    for request in receiver.requests() {
        assert_eq!(request.content_type, "application/json");
        let events: Vec<Event> = serde_json::from_str(&request.body).unwrap();
        assert!((1..=100).contains(&events.len()));
    }
    assert_eq!(scene.told(), "");
    drop(webhook);
    let left = scene.files(".jsonl");
    assert!(left.is_empty(), "what is delivered leaves no file, and not {left:?}");
}

#[test]
fn a_receiver_that_fails_for_a_while_gets_everything_in_order() {
    let failures = [500, 503, 429, 408, 301, 502].map(Answer::Status);
    let (scene, receiver) = (Scene::new(), Receiver::answering(failures));
    let mut webhook = scene.open(&receiver.url());
    for number in 0..300 {
        write(&mut webhook, number..number + 1);
        std::thread::sleep(Duration::from_micros(300));
    }
    webhook.finish().unwrap();
    assert_eq!(receiver.ids(), ids(0..300));
    let told = scene.told();
    assert!(told.contains("the receiver answers 500") && told.contains("answers again"), "{told}");
    assert_eq!(told.lines().count(), 2, "an outage is told of once: {told}");
}

#[test]
fn a_receiver_that_cannot_be_reached_for_a_while_gets_everything() {
    let (scene, address) = (Scene::new(), nobody());
    let mut webhook = scene.open(&format!("http://{address}/events"));
    write(&mut webhook, 0..150);
    std::thread::sleep(Duration::from_millis(100));
    let receiver = Receiver::on(address, []);
    write(&mut webhook, 150..200);
    webhook.finish().unwrap();
    assert_eq!(receiver.ids(), ids(0..200));
}

#[test]
fn a_receiver_that_hangs_holds_up_nobody_for_long() {
    let silence = [Answer::Silence(Duration::from_secs(5)), Answer::Silence(Duration::from_secs(5))];
    let (scene, receiver) = (Scene::new(), Receiver::answering(silence));
    let mut webhook = scene.open(&receiver.url());
    let start = Instant::now();
    write(&mut webhook, 0..50);
    assert!(start.elapsed() < Duration::from_millis(200), "writing waited for the receiver");
    webhook.finish().unwrap();
    assert_eq!(receiver.ids(), ids(0..50));
    assert!(start.elapsed() < Duration::from_secs(4), "took {:?}", start.elapsed());
}

#[test]
fn a_batch_that_is_refused_for_ever_is_set_aside() {
    let (scene, receiver) = (Scene::new(), Receiver::answering([Answer::Status(400)]));
    let mut webhook = scene.open(&receiver.url());
    write(&mut webhook, 0..100);
    while receiver.requests().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    write(&mut webhook, 100..150);
    let error = webhook.finish().unwrap_err().to_string();
    let refused = fs::read_to_string(&scene.files("refused.jsonl")[0]).unwrap();
    let kept: Vec<String> =
        refused.lines().map(|line| serde_json::from_str::<Event>(line).unwrap().id).collect();
    assert!(!kept.is_empty());
    assert!(error.contains(&format!("{} events refused by the receiver", kept.len())), "{error}");
    assert!(scene.told().contains("400"), "{}", scene.told());
    assert_eq!([kept, receiver.ids()].concat(), ids(0..150));
}

#[test]
fn a_receiver_that_asks_for_a_pause_gets_it() {
    let (scene, receiver) = (Scene::new(), Receiver::answering([Answer::Busy(1)]));
    let mut webhook = scene.open(&receiver.url());
    write(&mut webhook, 0..3);
    receiver.wait_for(3);
    let requests = receiver.requests();
    let pause = requests[1].at - requests[0].at;
    assert!(pause >= Duration::from_secs(1), "came back after {pause:?}");
    webhook.finish().unwrap();
}

#[test]
fn an_answer_that_is_lost_means_twice_and_never_not_at_all() {
    let (scene, receiver) = (Scene::new(), Receiver::answering([Answer::TakenUnsaid]));
    let mut webhook = scene.open(&receiver.url());
    write(&mut webhook, 0..20);
    webhook.finish().unwrap();
    assert!(receiver.ids().len() > 20);
    assert_eq!(first_of_each(receiver.ids()), ids(0..20));
}

#[test]
fn what_one_run_leaves_the_next_sends_first() {
    let (scene, address) = (Scene::new(), nobody());
    let url = format!("http://{address}/events");
    scene.leave(&url, 0..120);
    assert!(scene.told().contains("120 events not delivered"), "{}", scene.told());
    scene.leave(&url, 120..130);
    let receiver = Receiver::on(address, []);
    let mut webhook = scene.open(&url);
    write(&mut webhook, 130..140);
    webhook.finish().unwrap();
    assert_eq!(receiver.ids(), ids(0..140));
}

#[test]
fn the_end_of_the_stream_waits_no_longer_than_the_deadline() {
    let scene = Scene::new();
    let mut options = scene.options(&format!("http://{}/events", nobody()));
    options.timing.deadline = Duration::from_millis(300);
    options.timing.longest_wait = Duration::from_secs(60);
    let mut webhook = scene.open_with(&options);
    write(&mut webhook, 0..5);
    let start = Instant::now();
    webhook.finish().unwrap();
    assert!(start.elapsed() < Duration::from_secs(2), "took {:?}", start.elapsed());
    assert!(scene.told().contains("5 events not delivered"), "{}", scene.told());
}

#[test]
fn a_full_spool_refuses_the_newest_and_says_so_once() {
    let (scene, address) = (Scene::new(), nobody());
    let url = format!("http://{address}/events");
    let mut options = scene.options(&url);
    options.bound = 10_000;
    let mut webhook = scene.open_with(&options);
    write(&mut webhook, 0..1000);
    let size: u64 = scene.files(".jsonl").iter().map(|path| path.metadata().unwrap().len()).sum();
    assert!((9_000..=10_000).contains(&size), "{size} bytes");
    assert_eq!(scene.told().matches("spool is full").count(), 1);
    let receiver = Receiver::on(address, []);
    receiver.wait_for(1);
    let kept = (0..1000).take_while(|&number| receiver.ids().contains(&id(number))).count();
    let start = Instant::now();
    while scene.told().matches("there is room again").count() == 0 {
        assert!(start.elapsed() < Duration::from_secs(10));
        write(&mut webhook, 1000..1001);
        std::thread::sleep(Duration::from_millis(20));
    }
    let error = webhook.finish().unwrap_err().to_string();
    assert!(error.contains("lost, for want of room"), "{error}");
    assert!(kept > 0 && receiver.ids().len() > kept);
    let delivered = first_of_each(receiver.ids());
    assert_eq!(delivered[..delivered.len() - 1], ids(0..delivered.len() - 1)[..], "the oldest are kept");
    assert_eq!(delivered.last(), Some(&id(1000)));
}

/// A process that is killed in the middle of `write` leaves half a line.
#[test]
fn a_damaged_spool_gives_all_that_is_whole() {
    let (scene, address) = (Scene::new(), nobody());
    let url = format!("http://{address}/events");
    scene.leave(&url, 0..10);
    let path = &scene.files(".jsonl")[0];
    let mut text = fs::read_to_string(path).unwrap();
    text = text.replacen("{\"v\":1,\"id\":\"marker-4\"", "\u{0}\u{0}", 1);
    text.push_str("{\"v\":1,\"id\":\"mar");
    fs::write(path, text).unwrap();
    let receiver = Receiver::on(address, []);
    let mut webhook = scene.open(&url);
    write(&mut webhook, 10..12);
    let error = webhook.finish().unwrap_err().to_string();
    assert!(error.contains("1 event unreadable"), "{error}");
    assert_eq!(receiver.ids(), [ids(0..4), ids(5..12)].concat());
}

#[test]
fn a_place_that_is_illegible_means_twice_and_never_not_at_all() {
    for place in ["", "x", "00000000000000000001 00000000000000000007\n", "9 9999999\n\n"] {
        let (scene, address) = (Scene::new(), nobody());
        let url = format!("http://{address}/events");
        scene.leave(&url, 0..10);
        fs::write(&scene.files("acknowledged")[0], place).unwrap();
        let receiver = Receiver::on(address, []);
        scene.open(&url).finish().unwrap();
        assert_eq!(receiver.ids(), ids(0..10), "{place:?}: {}", scene.told());
    }
}

#[test]
fn two_processes_on_one_url_do_not_meet() {
    let (scene, address) = (Scene::new(), nobody());
    let url = format!("http://{address}/events");
    let mut options = scene.options(&url);
    options.timing.deadline = Duration::ZERO;
    let (mut one, mut two) = (scene.open_with(&options), scene.open_with(&options));
    write(&mut one, 0..10);
    write(&mut two, 10..20);
    one.finish().unwrap();
    two.finish().unwrap();
    drop((one, two));
    scene.wait_until_free();
    // The next run finds what both have left.
    let receiver = Receiver::on(address, []);
    let mut next = scene.open(&url);
    write(&mut next, 20..30);
    next.finish().unwrap();
    let mut sent = receiver.ids();
    sent.sort_by_key(|id| id.strip_prefix("marker-").unwrap().parse::<usize>().unwrap());
    assert_eq!(sent, ids(0..30));
    assert_eq!(receiver.ids()[20..], ids(20..30), "what was left comes before what is new");
}

#[test]
fn a_process_that_is_killed_loses_nothing_that_it_wrote() {
    let (scene, receiver) = (Scene::new(), Receiver::answering([]));
    let mut helper = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "writes_until_it_is_killed", "--ignored", "--nocapture"])
        .env("AWAAZ_TEST_CACHE", scene.cache.path())
        .env("AWAAZ_TEST_URL", receiver.url())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(helper.stdout.take().unwrap()).lines().map_while(Result::ok);
    let written = lines.filter_map(|line| line.strip_prefix("wrote ")?.parse::<usize>().ok());
    // It is killed while it both writes and sends.
    let last = written.take(500).last().unwrap();
    helper.kill().unwrap();
    helper.wait().unwrap();
    let before = receiver.ids().len();
    let mut webhook = scene.open(&receiver.url());
    webhook.finish().unwrap();
    let came = first_of_each(receiver.ids());
    assert!(came.len() > last, "only {} of {} came", came.len(), last + 1);
    assert_eq!(came, ids(0..came.len()), "in order, none missing");
    println!("{before} events came before the kill, {} in all", receiver.ids().len());
}

/// Not a test: what the one above starts and kills.
#[test]
#[ignore = "runs until it is killed"]
fn writes_until_it_is_killed() {
    let (Ok(cache), Ok(url)) = (std::env::var("AWAAZ_TEST_CACHE"), std::env::var("AWAAZ_TEST_URL")) else {
        println!("skipped: it is for another test to start");
        return;
    };
    let options = WebhookOptions { timing: quick(), ..WebhookOptions::new(url, Path::new(&cache)) };
    let mut webhook = Webhook::open(&options, Arc::new(|_| {})).unwrap();
    for number in 0..1_000_000 {
        write(&mut webhook, number..number + 1);
        println!("wrote {number}");
        std::thread::sleep(Duration::from_micros(100));
    }
}

#[cfg(unix)]
#[test]
fn the_spool_is_for_the_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    scene.leave("http://127.0.0.1:9/secret-token", 0..1);
    let folder = scene.files("lock")[0].parent().unwrap().to_path_buf();
    assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o077, 0);
    assert!(!scene.told().contains("secret-token"), "{}", scene.told());
}
