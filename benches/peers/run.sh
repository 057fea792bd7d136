#!/usr/bin/env bash
# Measures awaaz beside faster-whisper and whisper.cpp on the same audio, weights and threads. Arguments go to compare.py:
#   benches/peers/run.sh --rounds 1 --files sentence
# Needs python3 and, for the audio, Debian's apt-get. AWAAZ_CACHE moves the cache; OUT the folder of results.
set -euo pipefail
cd "$(dirname "$0")/../.."

cache=${AWAAZ_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/awaaz}
out=${OUT:-target/peers}
venv=$cache/bench-venv

if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
fi
"$venv/bin/pip" install --quiet --requirement benches/peers/requirements.txt
if [ ! -f "$cache/bench-audio/manifest.jsonl" ]; then
    "$venv/bin/python" benches/peers/prepare.py "$cache/bench-audio"
fi

cargo build --release
awaaz=${CARGO_TARGET_DIR:-target}/release/awaaz
"$awaaz" models pull base
model=$("$awaaz" models path base)
ggml=()
for type in f16 q8_0; do
    file=$cache/bench-audio/ggml-base-$type.bin
    if [ ! -f "$file" ]; then
        "$venv/bin/python" benches/peers/to_ggml.py "$model" "$file" --type "$type"
    fi
    ggml+=("$file")
done
"$venv/bin/python" benches/peers/compare.py --awaaz "$awaaz" \
    --model "$model" --ggml "${ggml[@]}" \
    --audio "$cache/bench-audio" --out "$out" "$@"
