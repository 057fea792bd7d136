#!/usr/bin/env bash
# Makes the clips in this folder again: audio.flac and text.txt of each, 16 kHz mono.
# Needs the Debian packages pocketsphinx-testdata, espeak-ng, sox and flac.
set -euo pipefail
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT

# Sentences of LibriVox's reading of Sense and Sensibility, with the words as they were read.
sentences=/usr/share/pocketsphinx/test/data/librivox
for number in 0870 0880 0890 0920 0930; do
    name=sense_and_sensibility_01_austen_64kb-$number
    mkdir -p "librivox-$number"
    flac --silent --force --best --no-padding -o "librivox-$number/audio.flac" "$sentences/$name.wav"
    sed -n "s|^<s> \(.*\) </s> ($name)$|\1|p" "$sentences/transcription" > "librivox-$number/text.txt"
done

# speak LANGUAGE TEXT: a synthetic voice at a calm pace.
speak() {
    mkdir -p "espeak-$1"
    echo "$2" > "espeak-$1/text.txt"
    espeak-ng -v "$1" -s 140 -w "$scratch/speech.wav" "$2"
    sox -D "$scratch/speech.wav" -r 16000 -c 1 -b 16 -C 8 "espeak-$1/audio.flac" gain -n -6
}
speak en "Good morning. The train to the city leaves at nine, and the tickets are on the table."
speak hi "नमस्ते, आप कैसे हैं? आज मौसम बहुत अच्छा है, चलिए बाहर चलते हैं।"
speak ur "السلام علیکم، آپ کیسے ہیں؟ آج موسم بہت اچھا ہے، چلیے باہر چلتے ہیں۔"
speak ta "வணக்கம், நீங்கள் எப்படி இருக்கிறீர்கள்? இன்று வானிலை மிகவும் நன்றாக இருக்கிறது."

# What must give no text.
mkdir -p silence noise
: > silence/text.txt
: > noise/text.txt
sox -D -n -r 16000 -c 1 -b 16 -C 8 silence/audio.flac trim 0 5
sox -R -D -n -r 16000 -c 1 -b 16 -C 8 noise/audio.flac synth 5 whitenoise gain -40
