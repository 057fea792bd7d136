#!/usr/bin/env bash
# tests/sound-server.sh COMMAND...: runs a command beside a sound server of its own, without any hardware.
#
# The server is a private PulseAudio. Its only sink goes nowhere, and the monitor of that sink is the default source:
# what is played with paplay is what a microphone hears. ALSA's default device is that server. All of it lives in a
# temporary folder and ends with the command.
#
# The command finds in its environment SOUND_SERVER, a program that starts and stops the server.
# Exits with 77 where the packages are missing (Debian: pulseaudio pulseaudio-utils libasound2-plugins).
set -euo pipefail

serve() {
    case "$1" in
        start)
            # Without norewinds the sink hands its monitor up to two seconds of silence ahead of time.
            # Without a session bus and as any user, root included; --daemonize returns once it is ready.
            pulseaudio -n --daemonize=yes --exit-idle-time=-1 --use-pid-file=yes --disallow-exit=no \
                --log-target="file:$XDG_RUNTIME_DIR/log" --log-level=notice \
                -L "module-native-protocol-unix" \
                -L "module-null-sink sink_name=room rate=48000 channels=2 norewinds=1" 2> /dev/null
            pactl set-default-source room.monitor
            ;;
        stop)
            pulseaudio --kill 2> /dev/null || true
            # It is asked to end, and ends a little later.
            for _ in {1..100}; do pactl info > /dev/null 2>&1 || break; sleep 0.05; done
            ;;
        freeze) kill -STOP "$(cat "$XDG_RUNTIME_DIR/pulse/pid")" ;;
        thaw) kill -CONT "$(cat "$XDG_RUNTIME_DIR/pulse/pid" 2> /dev/null)" 2> /dev/null || true ;;
        *) echo "usage, inside: \$SOUND_SERVER start | stop | freeze | thaw" >&2; exit 64 ;;
    esac
}

if [ -n "${SOUND_SERVER_ROOM:-}" ]; then
    serve "$@"
    exit
fi

for program in pulseaudio pactl paplay; do
    if ! command -v "$program" > /dev/null; then
        echo "$program was not found" >&2
        exit 77
    fi
done
if ! compgen -G "/usr/lib/*/alsa-lib/libasound_module_pcm_pulse.so" > /dev/null; then
    echo "ALSA's plugin for PulseAudio was not found" >&2
    exit 77
fi

SOUND_SERVER=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")
SOUND_SERVER_ROOM=$(mktemp -d)
export SOUND_SERVER SOUND_SERVER_ROOM
export HOME=$SOUND_SERVER_ROOM XDG_RUNTIME_DIR=$SOUND_SERVER_ROOM/run XDG_CONFIG_HOME=$SOUND_SERVER_ROOM/config
export PULSE_SERVER=unix:$XDG_RUNTIME_DIR/pulse/native
unset DBUS_SESSION_BUS_ADDRESS DISPLAY PULSE_COOKIE
mkdir -m 700 "$XDG_RUNTIME_DIR" "$XDG_CONFIG_HOME"
trap 'serve thaw; serve stop; rm -rf "$SOUND_SERVER_ROOM"' EXIT
trap 'exit 130' INT TERM

cat > "$HOME/.asoundrc" << 'EOF'
pcm.!default { type pulse }
ctl.!default { type pulse }
EOF
# A client must not start a server of its own in place of one that was stopped.
mkdir -p "$XDG_CONFIG_HOME/pulse"
echo "autospawn = no" > "$XDG_CONFIG_HOME/pulse/client.conf"

serve start
"$@"
