package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const firstLog = "../../goldens/first-log"

// command runs the program; its exit code and what it printed.
func command(arguments ...string) (int, string) {
	var out, errors bytes.Buffer
	code := run(arguments, &out, &errors)
	return code, out.String() + errors.String()
}

func vkey(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(firstLog, "log.vkey"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(data))
}

// copied is a copy of the committed log to change.
func copied(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	err := filepath.WalkDir(firstLog, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		to := filepath.Join(folder, strings.TrimPrefix(path, firstLog))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, data, 0o644)
	})
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

func TestTheCommittedLogIsSound(t *testing.T) {
	code, said := command("-vkey", vkey(t), firstLog)
	if code != 0 || !strings.HasPrefix(said, "PASS test.invalid/memory: 483 entries") {
		t.Fatal(code, said)
	}
	if !strings.Contains(said, "483 inclusion and 61 consistency proofs hold") {
		t.Fatal(said)
	}
}

func TestAnyByteThatChangesIsFound(t *testing.T) {
	folder, key := copied(t), vkey(t)
	files := []string{"checkpoint", "tile/0/000", "tile/0/001.p/227", "tile/1/000.p/1", "tile/entries/000"}
	for _, file := range files {
		path := filepath.Join(folder, filepath.FromSlash(file))
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for at := 0; at < len(data); at += 1 + len(data)/40 {
			changed := append([]byte(nil), data...)
			changed[at] ^= 1
			if err := os.WriteFile(path, changed, 0o644); err != nil {
				t.Fatal(err)
			}
			if code, said := command("-vkey", key, folder); code != 1 {
				t.Errorf("%s, byte %d: exit code %d: %s", file, at, code, said)
			}
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if code, said := command("-vkey", key, folder); code != 0 {
		t.Fatal("restored:", said)
	}
}

func TestAnotherKeyOpensNothing(t *testing.T) {
	key := vkey(t)
	other := strings.Replace(key, "memory", "memorx", 1)
	for _, wrong := range []string{other, key[:len(key)-4], "x"} {
		if code, said := command("-vkey", wrong, firstLog); code != 1 {
			t.Errorf("%s: %s", wrong, said)
		}
	}
	for _, call := range [][]string{{}, {firstLog}, {"-vkey", key}, {"-novel"}} {
		if code, said := command(call...); code != 2 {
			t.Errorf("%v: %s", call, said)
		}
	}
}

func TestPathsOfBundles(t *testing.T) {
	for index, path := range map[int64]string{0: "000", 273: "273", 1000: "x001/000", 1234067: "x001/x234/067"} {
		if got := bundlePath(index); got != path {
			t.Errorf("%d: %s, not %s", index, got, path)
		}
	}
}
