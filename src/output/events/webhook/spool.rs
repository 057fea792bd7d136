//! Events on disk that are not acknowledged, in order, bounded.
//!
//! ```text
//! lock                 held by the process that uses the spool
//! NUMBER.jsonl         events, a line each; a number each time the spool is opened or the last file is large
//! acknowledged         the file's number and the byte in it up to which the receiver has everything
//! refused.jsonl        events that the receiver will never take
//! ```
//!
//! Nothing is synchronised to the disk itself: what is here survives the death of the process, not always that of the
//! machine.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use crate::output::events::line_file::LineFile;
use crate::{Error, Result};

/// A file's share of the spool. What is acknowledged makes room when a whole file of it is.
const FILES: u64 = 16;
const REFUSED: &str = "refused.jsonl";

/// Why an event is not taken.
#[derive(Debug)]
pub enum Refusal {
    /// The spool's bound is reached.
    Full,
    /// The disk is full, or fails.
    Io(io::Error),
}

/// A place between two events. The order of the fields is that of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Position {
    /// The file's number.
    file: u64,
    /// Byte in it.
    offset: u64,
}

/// A file of events.
#[derive(Debug)]
struct Segment {
    number: u64,
    /// Bytes.
    length: u64,
    /// Lines that are not acknowledged.
    waiting: u64,
}

/// Events read from the spool, which still has them.
#[derive(Debug)]
pub struct Batch {
    /// JSON, oldest first.
    pub events: Vec<String>,
    /// Lines among them that are no JSON.
    pub damaged: u64,
    end: Position,
    /// Lines read from the file that `end` is in.
    lines_of_last: u64,
}

impl Batch {
    fn take(&mut self, line: Vec<u8>) {
        self.end.offset += line.len() as u64;
        self.lines_of_last += 1;
        match event_of(line) {
            Some(event) => self.events.push(event),
            None => self.damaged += 1,
        }
    }

    /// Passes over the rest of a file that is not there.
    fn skip(&mut self, segment: &Segment) {
        self.damaged += segment.waiting.saturating_sub(self.lines_of_last);
        self.lines_of_last = segment.waiting;
        self.end.offset = segment.length;
    }
}

/// Events waiting on disk.
pub struct Spool {
    folder: PathBuf,
    /// Its lock ends with it.
    _lock: File,
    bound: u64,
    segments: VecDeque<Segment>,
    /// The last segment, where this process made it.
    tail: Option<LineFile>,
    next_number: u64,
    acknowledged: Position,
    position_file: File,
}

impl Spool {
    /// Opens the spool in `folder`, which is made if need be; none where another process holds it.
    pub fn open(folder: &Path, bound: u64) -> Result<Option<Self>> {
        create_private(folder).map_err(|e| Error::io(folder, e))?;
        let lock_path = folder.join("lock");
        let lock = File::create(&lock_path).map_err(|e| Error::io(&lock_path, e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(e)) => return Err(Error::io(&lock_path, e)),
        }
        Self::load(folder, lock, bound).map(Some).map_err(|e| Error::io(folder, e))
    }

    fn load(folder: &Path, lock: File, bound: u64) -> io::Result<Self> {
        let position_path = folder.join("acknowledged");
        let mut position_file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(position_path)?;
        let mut acknowledged = read_position(&mut position_file)?;
        let numbers = segment_numbers(folder)?;
        let newest = numbers.iter().copied().chain([acknowledged.file]).max().unwrap_or(0);
        let mut segments = VecDeque::new();
        for number in numbers {
            let path = segment_path(folder, number);
            let start = match number.cmp(&acknowledged.file) {
                std::cmp::Ordering::Less => None,
                std::cmp::Ordering::Equal => Some(acknowledged.offset),
                std::cmp::Ordering::Greater => Some(0),
            };
            let survey = match start {
                Some(start) => survey(&path, start)?,
                None => Survey { length: 0, start: 0, waiting: 0 },
            };
            if survey.waiting == 0 {
                fs::remove_file(path)?;
                continue;
            }
            if segments.is_empty() {
                acknowledged = Position { file: number, offset: survey.start };
            }
            segments.push_back(Segment { number, length: survey.length, waiting: survey.waiting });
        }
        Ok(Self {
            folder: folder.into(),
            _lock: lock,
            bound,
            segments,
            tail: None,
            next_number: newest + 1,
            acknowledged,
            position_file,
        })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Events that are not acknowledged.
    pub fn waiting(&self) -> u64 {
        self.segments.iter().map(|segment| segment.waiting).sum()
    }

    /// Whether everything is acknowledged.
    pub fn is_empty(&self) -> bool {
        self.waiting() == 0
    }

    /// Adds an event after all others.
    pub fn append(&mut self, line: &str) -> Result<(), Refusal> {
        let used: u64 = self.segments.iter().map(|segment| segment.length).sum();
        let size = line.len() as u64 + 1;
        if used + size > self.bound {
            return Err(Refusal::Full);
        }
        self.append_to_tail(line).map_err(Refusal::Io)
    }

    fn append_to_tail(&mut self, line: &str) -> io::Result<()> {
        let is_large = self.segments.back().is_none_or(|last| last.length >= self.bound / FILES);
        let mut tail = match self.tail.take().filter(|_| !is_large) {
            Some(tail) => tail,
            None => self.start_segment()?,
        };
        let appended = tail.append(line);
        let Some(last) = self.segments.back_mut() else { return appended };
        match appended {
            Ok(()) => {
                last.length += line.len() as u64 + 1;
                last.waiting += 1;
                self.tail = Some(tail);
            }
            // A file from which the failed line could not be taken back is left as it is.
            Err(_) if tail.file().metadata().is_ok_and(|found| found.len() == last.length) => {
                self.tail = Some(tail);
            }
            Err(_) => {}
        }
        appended
    }

    fn start_segment(&mut self) -> io::Result<LineFile> {
        let number = self.next_number;
        let tail = LineFile::open(&segment_path(&self.folder, number))?;
        self.next_number += 1;
        self.segments.push_back(Segment { number, length: 0, waiting: 0 });
        Ok(tail)
    }

    /// The oldest events, up to `most` of them, and no more once they have `bytes`.
    pub fn peek(&self, most: usize, bytes: usize) -> io::Result<Batch> {
        let mut batch = Batch { events: Vec::new(), damaged: 0, end: self.acknowledged, lines_of_last: 0 };
        let mut read = 0;
        let mut taken = 0;
        for segment in self.segments.iter().filter(|segment| segment.waiting > 0) {
            if segment.number > batch.end.file {
                batch.end = Position { file: segment.number, offset: 0 };
            }
            batch.lines_of_last = 0;
            let mut lines = match self.read_from(segment, batch.end.offset) {
                Ok(lines) => lines,
                // Who empties the cache folder loses what is in it, and no more.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    batch.skip(segment);
                    continue;
                }
                Err(error) => return Err(error),
            };
            while batch.lines_of_last < segment.waiting {
                if taken == most || read >= bytes {
                    return Ok(batch);
                }
                let mut line = Vec::new();
                let length = lines.read_until(b'\n', &mut line)?;
                if length == 0 {
                    batch.skip(segment);
                    break;
                }
                taken += 1;
                read += length;
                batch.take(line);
            }
        }
        Ok(batch)
    }

    fn read_from(&self, segment: &Segment, offset: u64) -> io::Result<impl BufRead + use<>> {
        let mut file = File::open(segment_path(&self.folder, segment.number))?;
        file.seek(SeekFrom::Start(offset))?;
        Ok(BufReader::new(file.take(segment.length.saturating_sub(offset))))
    }

    /// Forgets the events of `batch`, which is the last one read.
    pub fn acknowledge(&mut self, batch: &Batch) -> io::Result<()> {
        self.acknowledged = batch.end;
        self.position_file.seek(SeekFrom::Start(0))?;
        // In place, in one write and of one length: it needs no room on a full disk, and a killed process leaves no half
        // of it, which might name a place further on.
        let place = format!("{:020} {:020}\n", batch.end.file, batch.end.offset);
        self.position_file.write_all(place.as_bytes())?;
        while let Some(first) = self.segments.front_mut() {
            if first.number > batch.end.file {
                break;
            }
            if first.number == batch.end.file {
                first.waiting = first.waiting.saturating_sub(batch.lines_of_last);
            }
            let is_done = first.number < batch.end.file || first.waiting == 0;
            // The file that grows is kept until it is large enough to be left.
            if !is_done || (self.segments.len() == 1 && self.tail.is_some()) {
                break;
            }
            self.remove_first()?;
        }
        Ok(())
    }

    fn remove_first(&mut self) -> io::Result<()> {
        match self.segments.pop_front() {
            Some(first) => fs::remove_file(segment_path(&self.folder, first.number)),
            None => Ok(()),
        }
    }

    /// Keeps the events of `batch` in a file of their own, and says which.
    pub fn set_aside(&self, batch: &Batch) -> io::Result<PathBuf> {
        let path = self.folder.join(REFUSED);
        let mut text = batch.events.join("\n");
        text.push('\n');
        let mut file = OpenOptions::new().append(true).create(true).open(&path)?;
        let length = file.metadata()?.len();
        if length + text.len() as u64 > self.bound {
            return Err(io::Error::other(format!("{} has no more room", path.display())));
        }
        if let Err(error) = file.write_all(text.as_bytes()) {
            file.set_len(length)?;
            return Err(error);
        }
        Ok(path)
    }
}

impl Drop for Spool {
    /// Leaves no file behind in which everything is acknowledged.
    fn drop(&mut self) {
        if self.is_empty() {
            while !self.segments.is_empty() && self.remove_first().is_ok() {}
        }
    }
}

/// Transcripts are for the user alone.
fn create_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn segment_path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:020}.jsonl"))
}

/// The numbers of the files of events, in order.
fn segment_numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(".jsonl")?.parse().ok());
        numbers.extend(number.filter(|&number| segment_path(folder, number).ends_with(&name)));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The start where nothing legible is noted: better twice than never.
fn read_position(file: &mut File) -> io::Result<Position> {
    let mut text = Vec::new();
    file.take(64).read_to_end(&mut text)?;
    let parse = || {
        let text = std::str::from_utf8(&text).ok()?;
        let (file, offset) = text.strip_suffix('\n')?.split_once(' ')?;
        Some(Position { file: file.parse().ok()?, offset: offset.parse().ok()? })
    };
    Ok(parse().unwrap_or_default())
}

/// What a file of events holds.
struct Survey {
    length: u64,
    /// Where its first event that is not acknowledged begins.
    start: u64,
    waiting: u64,
}

/// Looks through a file from `start`, and cuts off an event that a killed process has left unfinished: it was never
/// taken.
fn survey(path: &Path, start: u64) -> io::Result<Survey> {
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let length = file.metadata()?.len();
    // A place that is not at the start of a line is damaged.
    let start = if start <= length && is_line_start(&mut file, start)? { start } else { 0 };
    file.seek(SeekFrom::Start(start))?;
    let mut survey = Survey { length: start, start, waiting: 0 };
    let mut reader = BufReader::new(&file);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line)? > 0 && line.ends_with(b"\n") {
        survey.length += line.len() as u64;
        survey.waiting += 1;
        line.clear();
    }
    if survey.length < length {
        file.set_len(survey.length)?;
    }
    Ok(survey)
}

fn is_line_start(file: &mut File, offset: u64) -> io::Result<bool> {
    let Some(before) = offset.checked_sub(1) else { return Ok(true) };
    file.seek(SeekFrom::Start(before))?;
    let mut byte = [0];
    file.read_exact(&mut byte)?;
    Ok(byte == *b"\n")
}

/// A line without its end, where it is JSON.
fn event_of(mut line: Vec<u8>) -> Option<String> {
    line.pop_if(|last| *last == b'\n');
    let text = String::from_utf8(line).ok()?;
    serde_json::from_str::<IgnoredAny>(&text).is_ok().then_some(text)
}
