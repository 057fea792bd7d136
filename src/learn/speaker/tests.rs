use super::*;

fn head() -> SpeakerHead {
    let card = SpeakerCard {
        sources: vec!["ge2e".parse().unwrap(), "base:1-3".parse().unwrap()],
        method: "margin".into(),
        data: Vec::new(),
        languages: vec!["en".into()],
        figures: [("eer_made-up".to_owned(), 0.25)].into(),
        seed: 7,
        created_by: "a test".into(),
    };
    let moments = Moments { means: vec![1.0, 0.0, -1.0], deviations: vec![1.0, 2.0, 4.0] };
    let projection = Projection { weight: vec![1.0, 0.0, 0.0, 0.0, 2.0, 4.0], bias: vec![0.0, -1.0] };
    SpeakerHead::new(card, moments, projection).unwrap()
}

#[test]
fn vectors_are_projections_of_length_one() {
    // Standardised 3, 1, 1; projected 3, 2 + 4 - 1.
    let vector = head().vector(&[4.0, 2.0, 3.0]).unwrap();
    let length = 34f32.sqrt();
    for (found, expected) in vector.iter().zip([3.0 / length, 5.0 / length]) {
        assert!((found - expected).abs() < 1e-6, "{vector:?}");
    }
    assert!(head().vector(&[1.0]).is_err() && head().vector(&[f32::NAN, 0.0, 0.0]).is_err());
}

#[test]
fn files_give_back_what_was_written() {
    let bytes = head().to_bytes().unwrap();
    assert_eq!(bytes, head().to_bytes().unwrap());
    assert_eq!(SpeakerHead::from_bytes("a".as_ref(), &bytes).unwrap(), head());
}

#[test]
fn damaged_files_are_told_of() {
    let bytes = head().to_bytes().unwrap();
    for cut in [0, 7, 40, bytes.len() - 1] {
        assert!(SpeakerHead::from_bytes("a".as_ref(), &bytes[..cut]).is_err(), "{cut}");
    }
    let version = b"\\\"version\\\":";
    let at = bytes.windows(version.len()).position(|window| window == version);
    let at = at.expect("the card has its version") + version.len();
    let mut later = bytes.clone();
    later[at] = b'9';
    let error = SpeakerHead::from_bytes("a".as_ref(), &later).unwrap_err().to_string();
    assert!(error.contains("of version 9"), "{error}");
}

#[test]
fn sources_are_written_as_they_are_read() {
    for text in ["ge2e", "base:3", "base:1-3", "folder/of:mine:2"] {
        assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
    }
    for text in ["", "base:", "base:3-1", ":2", "base:x"] {
        assert!(text.parse::<Source>().is_err(), "{text}");
    }
}
