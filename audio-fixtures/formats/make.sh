#!/bin/sh
# Makes the clips of this folder. Needs espeak-ng, sox, ffmpeg, opus-tools, vorbis-tools, flac, lame.
set -eu
cd "$(dirname "$0")"
clip=$(mktemp --suffix .wav)
work=$(mktemp --suffix .wav)
trap 'rm -f "$clip" "$work"' EXIT

# The reference: 17,011 samples at 16 kHz, a number that no frame size divides.
espeak-ng -v en-gb -s 170 -w "$work" "Sixteen kilohertz."
sox -D "$work" -b 16 "$clip" gain -n -12 rate 16000 trim 0 17011s
flac -s -f -8 --no-padding -o reference.flac "$clip" && chmod 644 reference.flac

# Telephone.
sox "$clip" -r 8000 -e a-law alaw-8k.wav
sox "$clip" -r 8000 -e mu-law mulaw-8k.wav
sox "$clip" -r 8000 -e ms-adpcm adpcm-8k.wav
# Compressed, at the rates and channel counts in which they are met.
sox "$clip" -r 44100 -c 2 -b 16 "$work"
lame --quiet --resample 44.1 -b 64 "$work" stereo-44k.mp3
ffmpeg -loglevel error -y -i "$work" -c:a aac -b:a 64k -bitexact stereo-44k.m4a
ffmpeg -loglevel error -y -i "$work" -c:a aac -b:a 64k -bitexact stereo-44k.aac
ffmpeg -loglevel error -y -i "$work" -c:a libmp3lame -b:a 24k -ar 22050 -ac 1 -bitexact mono-22k.mp3
sox "$clip" -r 48000 -c 2 -b 16 "$work"
oggenc --quiet -b 64 -s 1 -o stereo-48k.ogg "$work"
opusenc --quiet --serial 1 --bitrate 48 "$work" stereo-48k.opus
ffmpeg -loglevel error -y -i "$work" -c:a libopus -b:a 32k -bitexact stereo-48k.webm
ffmpeg -loglevel error -y -i "$work" -c:a libopus -b:a 32k -bitexact stereo-48k.mp4
ffmpeg -loglevel error -y -i "$work" -c:a libvorbis -b:a 64k -bitexact stereo-48k.mkv
# A voice note: mono, narrow, with silence left out (DTX).
opusenc --quiet --serial 1 --speech --bitrate 12 --framesize 60 --set-ctl-int 4016=1 "$clip" voice-note.opus
# Six channels with the speech in the centre only.
sox "$clip" -r 48000 "$work"
ffmpeg -loglevel error -y -i "$work" -af "pan=5.1|FC=c0" -c:a libopus -b:a 64k -bitexact centre-of-six.opus
