//! The terminal, its keys, and its restoring.

use std::collections::VecDeque;
use std::io::{self, BufWriter, IsTerminal, Stderr, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError, TryLockError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{self, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::crossterm::{cursor, execute, terminal};
use ratatui::layout::Rect;

use super::draw;
use super::state::{Move, ViewState};
use crate::event::Event;
use crate::output::events::Notify;
use crate::pipeline::{EventSink, Gauges};
use crate::{Error, Result};

/// Redraws are at least this far apart.
const FRAME: Duration = Duration::from_micros(66_667);
/// A picture that is being written when a panic comes is given so long to end.
const LAST_FRAME: Duration = Duration::from_millis(200);
/// What the user is told is told again after the view, up to so many lines.
const NOTICES: usize = 20;

/// Whether the terminal is the view's.
static ACTIVE: AtomicBool = AtomicBool::new(false);
/// Held while a picture is written, so that restoring does not come in between.
static WRITING: Mutex<()> = Mutex::new(());
static PANIC_HOOK: Once = Once::new();

/// Gives the terminal back, where a view has it. For those who end the process without dropping the view.
pub fn restore() {
    if !ACTIVE.swap(false, Ordering::SeqCst) {
        return;
    }
    // A panic may come from within the writing itself, so this must not wait for ever.
    let start = Instant::now();
    let _writing = loop {
        match WRITING.try_lock() {
            Ok(guard) => break Some(guard),
            Err(TryLockError::Poisoned(poisoned)) => break Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) if start.elapsed() > LAST_FRAME => break None,
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    // A terminal that is gone needs no restoring.
    let _ = execute!(io::stderr(), terminal::EnableLineWrap, terminal::LeaveAlternateScreen, cursor::Show);
    let _ = terminal::disable_raw_mode();
}

/// Shows a stream in the terminal, on stderr, until it is finished or dropped.
pub struct View {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    state: Mutex<ViewState>,
    changed: AtomicBool,
    closing: AtomicBool,
    notices: Mutex<VecDeque<String>>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, ViewState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn notices(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut ViewState)) {
        change(&mut self.state());
        self.changed.store(true, Ordering::Release);
    }

    fn notice(&self, text: &str) {
        if !ACTIVE.load(Ordering::SeqCst) {
            let _ = writeln!(io::stderr(), "{text}");
            return;
        }
        self.change(|state| state.notice(text));
        let mut notices = self.notices();
        notices.push_back(text.into());
        if notices.len() > NOTICES {
            notices.pop_front();
        }
    }
}

impl View {
    /// Takes the terminal and shows the stream of that name. `quit` is called when the user asks to end it; at the
    /// second time the terminal has been given back before.
    ///
    /// # Errors
    /// [`Error::Setting`] where stderr is no terminal or has a view already.
    pub fn open(stream: &str, quit: impl FnMut() + Send + 'static) -> Result<Self> {
        if !io::stderr().is_terminal() {
            return Err(Error::Setting("the view needs a terminal, and stderr is none".into()));
        }
        PANIC_HOOK.call_once(|| {
            let before = std::panic::take_hook();
            std::panic::set_hook(Box::new(move |panic| {
                restore();
                before(panic);
            }));
        });
        let shared = Arc::new(Shared {
            state: Mutex::new(ViewState::new(stream)),
            changed: AtomicBool::new(true),
            closing: AtomicBool::new(false),
            notices: Mutex::default(),
        });
        let screen = Screen::open().map_err(|e| Error::io("terminal", e))?;
        let keyboard = Keyboard { shared: shared.clone(), quit: Box::new(quit), has_asked: false };
        let thread = std::thread::Builder::new()
            .name("view".into())
            .spawn(move || run(screen, keyboard))
            .map_err(|e| Error::io("terminal", e))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Shows the user a line among the events; on stderr once the view is closed, and then those shown before, too.
    pub fn notify(&self) -> Notify {
        let shared = self.shared.clone();
        Arc::new(move |text| shared.notice(text))
    }

    fn close(&mut self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // The panic hook has told of a panic.
            let _ = thread.join();
        }
        for text in self.shared.notices().drain(..) {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

impl EventSink for View {
    fn name(&self) -> &str {
        "view"
    }

    fn write(&mut self, event: &Event) -> Result<()> {
        self.shared.change(|state| state.apply(event));
        Ok(())
    }

    fn gauge(&mut self, gauges: &Gauges) {
        self.shared.change(|state| state.gauge(gauges));
    }

    fn finish(&mut self) -> Result<()> {
        self.close();
        Ok(())
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.close();
    }
}

/// The terminal while it is the view's.
struct Screen(Terminal<CrosstermBackend<BufWriter<Stderr>>>);

impl Screen {
    fn open() -> io::Result<Self> {
        let terminal = Terminal::new(CrosstermBackend::new(BufWriter::new(io::stderr())))?;
        if ACTIVE.swap(true, Ordering::SeqCst) {
            return Err(io::Error::other("it has a view already"));
        }
        let screen = Self(terminal);
        terminal::enable_raw_mode()?;
        // A row that the terminal reckons longer than it is here must not push down those below it.
        execute!(io::stderr(), terminal::EnterAlternateScreen, terminal::DisableLineWrap, cursor::Hide)?;
        Ok(screen)
    }

    fn draw(&mut self, state: &ViewState) -> io::Result<()> {
        let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
        if ACTIVE.load(Ordering::SeqCst) {
            self.0.draw(|frame| draw::draw(frame, state))?;
        }
        Ok(())
    }

    fn area(&self) -> Rect {
        self.0.size().map(Rect::from).unwrap_or_default()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore();
    }
}

/// Draws and listens until the view closes or the terminal is given back.
fn run(mut screen: Screen, mut keyboard: Keyboard) {
    let mut next_frame = Instant::now();
    while !keyboard.shared.closing.load(Ordering::SeqCst) && ACTIVE.load(Ordering::SeqCst) {
        let wait = next_frame.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match event::poll(wait).and_then(|came| if came { event::read().map(Some) } else { Ok(None) }) {
            Ok(Some(event)) => keyboard.hear(&event, screen.area()),
            Ok(None) => {}
            // A terminal without a keyboard still shows.
            Err(_) => std::thread::sleep(wait),
        }
        if Instant::now() < next_frame {
            continue;
        }
        next_frame = Instant::now() + FRAME;
        if keyboard.shared.changed.swap(false, Ordering::AcqRel) {
            let state = keyboard.shared.state().clone();
            // A terminal that is gone shows nothing; the stream goes on.
            let _ = screen.draw(&state);
        }
    }
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    Quit,
    Pause,
    Help,
    Scroll(Step),
}

/// How far to scroll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    LineBack,
    LineForth,
    PageBack,
    PageForth,
    Oldest,
    Newest,
}

impl Step {
    fn of(self, page: usize) -> Move {
        match self {
            Self::LineBack => Move::Back(1),
            Self::LineForth => Move::Forth(1),
            Self::PageBack => Move::Back(page.max(1)),
            Self::PageForth => Move::Forth(page.max(1)),
            Self::Oldest => Move::Back(usize::MAX),
            Self::Newest => Move::Forth(usize::MAX),
        }
    }
}

impl Command {
    fn of(key: KeyEvent) -> Option<Self> {
        // Raw mode turns Ctrl-C into a key.
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return (key.code == KeyCode::Char('c')).then_some(Self::Quit);
        }
        match key.code {
            KeyCode::Char('q') => Some(Self::Quit),
            KeyCode::Char('p' | ' ') => Some(Self::Pause),
            KeyCode::Char('?') => Some(Self::Help),
            KeyCode::Up => Some(Self::Scroll(Step::LineBack)),
            KeyCode::Down => Some(Self::Scroll(Step::LineForth)),
            KeyCode::PageUp => Some(Self::Scroll(Step::PageBack)),
            KeyCode::PageDown => Some(Self::Scroll(Step::PageForth)),
            KeyCode::Home => Some(Self::Scroll(Step::Oldest)),
            KeyCode::End => Some(Self::Scroll(Step::Newest)),
            _ => None,
        }
    }
}

/// Turns keys into what they ask for.
struct Keyboard {
    shared: Arc<Shared>,
    quit: Box<dyn FnMut() + Send>,
    has_asked: bool,
}

impl Keyboard {
    fn hear(&mut self, event: &event::Event, area: Rect) {
        self.shared.changed.store(true, Ordering::Release);
        let event::Event::Key(key) = event else { return };
        if key.kind == KeyEventKind::Release {
            return;
        }
        match Command::of(*key) {
            Some(Command::Quit) => self.ask_to_quit(),
            Some(Command::Pause) => self.shared.change(ViewState::toggle_pause),
            Some(Command::Help) => self.shared.change(ViewState::toggle_help),
            Some(Command::Scroll(step)) => self.shared.change(|state| {
                let page = draw::page(area, state);
                state.scroll(step.of(page), page, |text| draw::final_height(area, text));
            }),
            None => {}
        }
    }

    fn ask_to_quit(&mut self) {
        // The second time the user may be about to end the process.
        if std::mem::replace(&mut self.has_asked, true) {
            restore();
        }
        (self.quit)();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_ask_for_what_the_help_says() {
        let plain = |code| Command::of(KeyEvent::new(code, KeyModifiers::NONE));
        let control = |letter| Command::of(KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL));
        assert_eq!(plain(KeyCode::Char('q')), Some(Command::Quit));
        assert_eq!(control('c'), Some(Command::Quit));
        assert_eq!(control('p'), None);
        assert_eq!(plain(KeyCode::Char(' ')), Some(Command::Pause));
        assert_eq!(plain(KeyCode::Char('p')), Some(Command::Pause));
        assert_eq!(plain(KeyCode::Char('?')), Some(Command::Help));
        assert_eq!(plain(KeyCode::PageUp), Some(Command::Scroll(Step::PageBack)));
        assert_eq!(plain(KeyCode::Enter), None);
    }
}
