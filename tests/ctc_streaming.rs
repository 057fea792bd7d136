//! Promise: `awaaz bench ctc-streaming` hears every frame of a sound, however it is cut into chunks.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[test]
fn each_setting_is_compared_with_the_whole() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    let references = folder.path().join("texts.tsv");
    std::fs::write(&references, "audio\twhat is said\n").unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_awaaz"))
        .args([
            "bench",
            "ctc-streaming",
            "--json",
            "--offline",
            "--chunk",
            "0.5,600",
            "--look-ahead",
            "0,0.32",
        ])
        .arg("--model")
        .arg(root.join("tests/fixtures/onnx/ctc/model.safetensors"))
        .arg("--references")
        .arg(references)
        .arg(root.join("audio-fixtures/espeak-en/audio.flac"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(rows.len(), 5);
    let number = |row: usize, name: &str| rows[row][name].as_f64().unwrap();
    assert_eq!((number(0, "agreement"), number(0, "unlike_whole")), (1.0, 0.0));
    assert!(rows[0]["chunk"].is_null() && number(0, "error") > 0.0);
    // A frame hears 25 ms, the first of them 20 ms before the next.
    assert_eq!((number(1, "latency"), number(2, "latency")), (0.505, 0.825));
    assert!(number(1, "agreement_running") < 1.0);
    // One chunk that is longer than the sound has all of it around it.
    for row in [3, 4] {
        assert_eq!(number(row, "agreement_running"), 1.0, "{}", rows[row]);
    }
}
