use awaaz::models::whisper::*; use awaaz::weights::Checkpoint; use std::time::Instant; use std::sync::Arc;
use candle_core::{Tensor,Device};
fn main(){
  let t=Instant::now();
  let threads=awaaz::compute::Threads::new(2).unwrap();
  { let t=Instant::now(); let tk=tokenizers::Tokenizer::from_file("/tmp/base/tokenizer.json").unwrap(); println!("tok {:?} {:?}",t.elapsed(), tk.id_to_token(440)); let t=Instant::now(); let v:serde_json::Value=serde_json::from_slice(&std::fs::read("/tmp/base/tokenizer.json").unwrap()).unwrap(); println!("json {:?} {}",t.elapsed(),v.is_object()); }
  threads.run(||{
  let ck=Checkpoint::open(std::path::Path::new("/tmp/base/model.bin")).unwrap();
  println!("open {:?}",t.elapsed());
  let cfg=Config::read(&ck,None).unwrap(); println!("{cfg:?}");
  let w=Whisper::load(&ck,cfg).unwrap();
  println!("loaded {:?}",t.elapsed());
  let mut r=hound::WavReader::open("/tmp/base/tc16.wav").unwrap();
  let s:Vec<f32>=r.samples::<i16>().map(|x|x.unwrap() as f32/32768.).take(30*16000).collect();
  for _ in 0..4 {
  let t=Instant::now();
  let mel=w.log_mel.spectrogram(&s,3000); let tm=t.elapsed();
  let mel=Tensor::from_vec(mel,(3000,80),&Device::Cpu).unwrap();
  let t=Instant::now();
  let enc=w.encoder.forward(&mel).unwrap(); let te=t.elapsed();
  let t=Instant::now();
  let cross=Arc::new(w.decoder.cross_cache(&enc).unwrap()); let tx=t.elapsed();
  for b in [1usize,2,4,8] {
  let mut states:Vec<_>=(0..b).map(|_|w.decoder.state(cross.clone())).collect();
  let mut ws=Workspace::default();
  let mut inputs:Vec<Input>=Vec::new();
  for s in 0..b { for (i,t) in [50258,50259,50359,50363].into_iter().enumerate() { inputs.push(Input{state:s,token:t,wanted:i==3}); } }
  let t=Instant::now();
  w.decoder.forward(&mut states,&inputs,&mut ws,|_,_|{});
  let mut toks:Vec<Vec<u32>>=vec![vec![];b]; let pre=t.elapsed();
  let t=Instant::now(); let mut n=0;
  loop { inputs.clear();
   for s in 0..b { let l=ws.logits(s,51865); let tok=(0..51865).filter(|&i| i<50257|| i==50257).max_by(|&a,&c|l[a].total_cmp(&l[c])).unwrap() as u32; toks[s].push(tok); inputs.push(Input{state:s,token:tok,wanted:true}); }
   n+=1; if toks[0].last()==Some(&50257)||n>200 {break}
   w.decoder.forward(&mut states,&inputs,&mut ws,|_,_|{});
  }
  println!("b {b} mel {tm:?} enc {te:?} cross {tx:?} prefill {pre:?} steps {n} {:?}/step same {}",t.elapsed()/n, toks.iter().all(|t|*t==toks[0]));
  if b==1 { let tk=tokenizers::Tokenizer::from_file("/tmp/base/tokenizer.json").unwrap(); println!("{}",tk.decode(&toks[0],true).unwrap()); }
  }
  }
  });
}
