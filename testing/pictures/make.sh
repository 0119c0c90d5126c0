#!/bin/sh
# Makes the pictures of docs/ again: explain.html, ladder.svg, explain-terminal.svg and
# explain-html.png. Needs chromium, or another browser that knows its options, in $CHROMIUM.
#
#   cargo build --package ntlm-cli && testing/pictures/make.sh target/debug/ntlm
set -eu
ntlm=$(realpath "${1:-target/debug/ntlm}")
cd "$(dirname "$0")/../.."
chromium=${CHROMIUM:-chromium}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

captures=testdata/captures
secrets="--secrets testdata/accounts.toml"

# The exit code says what the captures come to, which is not the matter here.
"$ntlm" explain $captures/smbclient-smb3_11-sign-ntlmv2.pcap \
    $captures/smbclient-smb2_10-sign-ntlmv1.pcap $captures/smbclient-smb2_10-wrongpassword.pcap \
    $secrets --format html --output docs/explain.html || [ $? -eq 1 ]
"$ntlm" explain $captures/smbclient-smb3_11-sign-ntlmv2.pcap $secrets \
    --exchange 1 --format svg --output docs/ladder.svg

# A terminal of 100 columns.
COLUMNS=100 "$ntlm" explain $captures/smbclient-smb3_11-sign-ntlmv2.pcap $secrets \
    --color always --output "$work/terminal.txt"
python3 testing/pictures/terminal.py < "$work/terminal.txt" > docs/explain-terminal.svg

shoot() { # page picture width,height [scale]
    "$chromium" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
        --disable-background-networking --user-data-dir="$work/profile-$(basename "$2")" \
        --hide-scrollbars --force-device-scale-factor="${4:-1}" \
        --window-size="$3" --screenshot="$2" "file://$1" >/dev/null 2>&1
    # Fewer colours make a small file, if there is a program for that.
    if command -v pngquant >/dev/null; then pngquant --force --ext .png 64 "$2"; fi
    ls -l "$2"
}
shoot "$PWD/docs/explain.html" "$PWD/docs/explain-html.png" 1180,1900
