//! scratch
use awaaz::{asr::*, audio::*, compute::Threads, time::*, weights::*};
use std::time::Instant;
struct P;
impl Sink for P {
    fn decoded(&mut self, d: &Decoded) {
        for s in &d.segments {
            println!(
                "[{:.2} {:.2}] {} t={} lp={:.2} cr={:.2} ns={:.2}",
                s.span.start.seconds(),
                s.span.end.seconds(),
                s.text,
                s.temperature,
                s.average_logprob,
                s.compression_ratio,
                s.no_speech_probability
            );
            for w in &s.words {
                print!(
                    "{}<{:.2}-{:.2} {:.2}>",
                    w.text,
                    w.span.start.seconds(),
                    w.span.end.seconds(),
                    w.probability
                );
            }
            if !s.words.is_empty() {
                println!()
            }
        }
    }
    fn position(&mut self, _: SampleIndex) {}
    fn stopped(&self) -> bool {
        false
    }
}
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let t = Instant::now();
    let files = ModelFiles::at(std::path::Path::new(&a[1])).unwrap();
    let e = Engine::load(&files, Threads::new(2).unwrap()).unwrap();
    eprintln!("load {:?}", t.elapsed());
    let mut o = Options::default();
    for f in &a[3..] {
        match f.as_str() {
            "words" => o.word_times = true,
            "b5" => o.beam = 5,
            l if l.len() == 2 => o.language = LanguageChoice::Fixed(l.into()),
            _ => {}
        }
    }
    let t = Instant::now();
    let mut s = AudioStream::open(AudioInput::from_arg(&a[2]), &Default::default()).unwrap();
    e.run(&mut Windows::new(&mut s), &o, &mut P).unwrap();
    eprintln!("run {:?}", t.elapsed());
}
