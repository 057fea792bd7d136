//! A sound server without hardware, in which what is played is what is heard: `tests/sound-server.sh`.

use std::process::Command;

const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sound-server.sh");
/// What the script ends with where its packages are missing.
const NOT_INSTALLED: i32 = 77;

/// Runs a test of this program in a room of its own.
pub fn in_room(test: &str, body: fn()) {
    if std::env::var_os("SOUND_SERVER").is_some() {
        return body();
    }
    let program = std::env::current_exe().unwrap();
    let status = Command::new(SERVER).arg(program).args([test, "--exact", "--nocapture"]).status().unwrap();
    if status.code() == Some(NOT_INSTALLED) {
        println!("skipped: `make setup-sound` installs what this test needs");
        return;
    }
    assert!(status.success(), "{status}");
}

/// Starts, stops, freezes or thaws the server.
pub fn server(order: &str) {
    assert!(Command::new(SERVER).arg(order).status().unwrap().success(), "{order}");
}
