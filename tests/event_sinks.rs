//! Promise: a file or stream of events holds whole lines, in order, whatever becomes of the disk or the process.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use awaaz::Error;
use awaaz::event::Event;
use awaaz::output::events::{EventFile, JsonLines, Notify};
use awaaz::pipeline::EventSink;

#[path = "support/sample_events.rs"]
mod sample_events;
use sample_events::sample;

fn told() -> (Arc<Mutex<Vec<String>>>, Notify) {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let lines = told.clone();
    (told, Arc::new(move |line| lines.lock().unwrap().push(line.into())))
}

fn quiet() -> Notify {
    Arc::new(|line| panic!("unexpected: {line}"))
}

fn events(path: &Path) -> Vec<Event> {
    fs::read_to_string(path).unwrap().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Notes what was written between two flushes.
#[derive(Default)]
struct Flushes {
    open: Vec<u8>,
    flushed: Vec<String>,
}

impl Write for &mut Flushes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.open.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.flushed.push(String::from_utf8(std::mem::take(&mut self.open)).unwrap());
        Ok(())
    }
}

#[test]
fn each_event_is_flushed_as_one_line() {
    let mut out = Flushes::default();
    let mut sink = JsonLines::new(&mut out, "stdout");
    for event in sample() {
        sink.write(&event).unwrap();
    }
    sink.finish().unwrap();
    let expected: Vec<String> = sample().iter().map(|event| event.to_line() + "\n").collect();
    assert_eq!(out.flushed, expected);
}

struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_has_gone_is_told_apart() {
    let error = JsonLines::new(Gone, "stdout").write(&sample()[0]).unwrap_err();
    let Error::Io { path, source } = error else { panic!("{error}") };
    assert_eq!((path.to_str(), source.kind()), (Some("stdout"), io::ErrorKind::BrokenPipe));
}

#[test]
fn events_are_appended_and_are_there_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    for run in 1..=2 {
        let mut sink = EventFile::append(&path, quiet()).unwrap();
        for (number, event) in sample().iter().enumerate() {
            sink.write(event).unwrap();
            assert_eq!(events(&path).len(), (run - 1) * sample().len() + number + 1);
        }
        sink.finish().unwrap();
    }
    assert_eq!(events(&path), [sample(), sample()].concat());
}

#[test]
fn a_line_that_a_killed_process_left_stays_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let whole = sample()[1].to_line();
    fs::write(&path, format!("{whole}\n{}", &whole[..20])).unwrap();
    let mut sink = EventFile::append(&path, quiet()).unwrap();
    sink.write(&sample()[2]).unwrap();
    sink.write(&sample()[3]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 4);
    assert!(text.ends_with('\n'));
    assert_eq!(events(&path), [1, 2, 3].map(|at| sample()[at].clone()));
}

#[test]
fn a_file_that_another_writes_to_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.jsonl");
    let _one = EventFile::append(&path, quiet()).unwrap();
    let error = EventFile::append(&path, quiet()).err().unwrap();
    assert!(matches!(error, Error::Setting(_)), "{error}");
    assert!(error.to_string().contains("events.jsonl"));
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let error = EventFile::append(Path::new("/nowhere/events.jsonl"), quiet()).err().unwrap();
    assert!(error.to_string().starts_with("/nowhere/events.jsonl: "), "{error}");
}

#[test]
fn a_full_device_is_told_of_once_and_counted() {
    let path = Path::new("/dev/full");
    if !path.exists() {
        println!("skipped: no /dev/full here");
        return;
    }
    let (told, notify) = told();
    let mut sink = EventFile::append(path, notify).unwrap();
    let events = sample();
    for event in &events {
        sink.write(event).unwrap();
    }
    let error = sink.finish().unwrap_err().to_string();
    let lost = format!("{} events could not be written", events.len());
    assert!(error.contains("/dev/full") && error.contains(&lost), "{error}");
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("/dev/full: "), "{told:?}");
}

/// A file system of 64 KiB in memory, while it lives; none where the user may not mount.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(folder.path());
        let status = mount.stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_leaves_whole_lines_and_room_makes_it_go_on() {
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: no file system can be mounted");
        return;
    };
    let path = disk.0.path().join("events.jsonl");
    let ballast = disk.0.path().join("ballast");
    fs::write(&ballast, vec![0; 40_000]).unwrap();
    let (told, notify) = told();
    let mut sink = EventFile::append(&path, notify).unwrap();
    let event = &sample()[4];
    for _ in 0..200 {
        sink.write(event).unwrap();
    }
    let kept = events(&path).len();
    let text = fs::read_to_string(&path).unwrap();
    assert!((1..200).contains(&kept));
    assert_eq!(text.lines().count(), kept, "only whole lines");
    assert!(text.ends_with('\n'));
    fs::remove_file(ballast).unwrap();
    sink.write(event).unwrap();
    assert_eq!(events(&path).len(), kept + 1);
    let error = sink.finish().unwrap_err().to_string();
    assert!(error.contains(&format!("{} events could not be written", 200 - kept)), "{error}");
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].contains(&format!("{} events lost", 200 - kept)), "{told:?}");
}

#[cfg(feature = "webhook")]
#[test]
fn a_full_disk_of_the_spool_loses_the_newest_only() {
    use awaaz::output::events::{Timing, Webhook, WebhookOptions};
    let Some(disk) = SmallDisk::mount() else {
        println!("skipped: no file system can be mounted");
        return;
    };
    let (told, notify) = told();
    let mut options = WebhookOptions::new("http://127.0.0.1:9/", disk.0.path());
    options.timing = Timing { deadline: std::time::Duration::ZERO, ..Timing::default() };
    let mut sink = Webhook::open(&options, notify.clone()).unwrap();
    for _ in 0..200 {
        sink.write(&sample()[4]).unwrap();
    }
    let error = sink.finish().unwrap_err().to_string();
    assert!(error.contains("events lost, for want of room"), "{error}");
    let lines = told.lock().unwrap().join("\n");
    assert!(lines.contains("new events are lost until there is room"), "{lines}");
    assert!(lines.contains("events not delivered"), "{lines}");
    drop(sink);
    // The spool is legible, and full of whole events.
    let mut next = Webhook::open(&options, notify).unwrap();
    next.finish().unwrap();
    let lines = told.lock().unwrap().join("\n");
    assert!(!lines.contains("unreadable") && !lines.contains("cannot be read"), "{lines}");
}
