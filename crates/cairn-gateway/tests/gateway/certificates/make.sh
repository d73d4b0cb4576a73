#!/bin/sh
# Makes the certificates of the tests anew: two authorities, a gateway of each, and a client of the second. They are valid
# for a hundred years and their keys are public, so they are good for nothing else.
set -eu
cd "$(dirname "$0")"
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key.pem"; }
for name in one two; do
    key "authority-$name"
    openssl req -x509 -new -key "authority-$name.key.pem" -days 36500 -subj "/CN=test authority $name" \
        -addext basicConstraints=critical,CA:TRUE -out "authority-$name.pem"
done
signed() { # name, authority, extensions
    key "$1"
    openssl req -new -key "$1.key.pem" -subj "/CN=$1" -out request.pem
    printf 'basicConstraints=CA:FALSE\n%b' "$3" > extensions
    openssl x509 -req -in request.pem -CA "authority-$2.pem" -CAkey "authority-$2.key.pem" -days 36500 \
        -set_serial "0x$(openssl rand -hex 8)" -extfile extensions -out "$1.pem"
    rm request.pem extensions
}
signed gateway-one one 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n'
signed gateway-two two 'subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\n'
signed client two 'extendedKeyUsage=clientAuth\n'
rm authority-one.key.pem authority-two.key.pem
