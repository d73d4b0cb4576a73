package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	// The most entries and older sizes that are proved one by one.
	inclusionsMax    = 4096
	consistenciesMax = 64
)

// folder is an exported tlog-tiles tree; it reads tiles for package tlog.
type folder string

func (f folder) Height() int { return tileHeight }

func (f folder) SaveTiles([]tlog.Tile, [][]byte) {}

// ReadTiles reads tiles of hashes. The paths of C2SP's tlog-tiles are those of package tlog without the height.
func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		path := "tile/" + strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", tileHeight))
		bytes, err := f.read(path)
		if err != nil {
			return nil, err
		}
		data[i] = bytes
	}
	return data, nil
}

func (f folder) read(path string) ([]byte, error) {
	return os.ReadFile(filepath.Join(string(f), filepath.FromSlash(path)))
}

// bundle reads the entries of one bundle: each stands after its big-endian 16-bit length.
func (f folder) bundle(index, width int64) ([][]byte, error) {
	path := "tile/entries/" + bundlePath(index)
	if width < tileWidth {
		path += fmt.Sprintf(".p/%d", width)
	}
	data, err := f.read(path)
	if err != nil {
		return nil, err
	}
	entries := make([][]byte, 0, width)
	for len(data) > 0 {
		if len(data) < 2 || len(data) < 2+int(data[0])<<8+int(data[1]) {
			return nil, fmt.Errorf("%s: an entry is cut short", path)
		}
		end := 2 + int(data[0])<<8 + int(data[1])
		entries = append(entries, data[2:end])
		data = data[end:]
	}
	if int64(len(entries)) != width {
		return nil, fmt.Errorf("%s: %d entries where %d belong", path, len(entries), width)
	}
	return entries, nil
}

func bundlePath(index int64) string {
	path := fmt.Sprintf("%03d", index%1000)
	for index /= 1000; index > 0; index /= 1000 {
		path = fmt.Sprintf("x%03d/%s", index%1000, path)
	}
	return path
}

// result is what a sound log has.
type result struct {
	origin                    string
	size                      int64
	root                      tlog.Hash
	inclusions, consistencies int
}

// checkpoint opens the signed note with the log's key and reads its three lines.
func (f folder) checkpoint(vkey string) (string, tlog.Tree, error) {
	fail := func(err error) (string, tlog.Tree, error) {
		return "", tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	verifier, err := note.NewVerifier(vkey)
	if err != nil {
		return fail(err)
	}
	data, err := f.read("checkpoint")
	if err != nil {
		return fail(err)
	}
	opened, err := note.Open(data, note.VerifierList(verifier))
	if err != nil {
		return fail(err)
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" || lines[0] != verifier.Name() {
		return fail(errors.New("not an origin that signs it, a size and a root"))
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || strconv.FormatInt(size, 10) != lines[1] || size < 0 {
		return fail(errors.New("the size is not a decimal number"))
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return fail(errors.New("the root is not 32 bytes"))
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return lines[0], tree, nil
}

// check reads a whole log and proves it.
func check(path, vkey string) (result, error) {
	f := folder(path)
	origin, tree, err := f.checkpoint(vkey)
	if err != nil {
		return result{}, err
	}
	tiles := tlog.TileHashReader(tree, f)
	leaves, stored, err := f.hashes(tree, tiles)
	if err != nil {
		return result{}, err
	}
	root, err := tlog.TreeHash(tree.N, stored)
	if err != nil {
		return result{}, err
	}
	if root != tree.Hash {
		return result{}, fmt.Errorf("the entries hash to %v, the checkpoint says %v", root, tree.Hash)
	}
	found := result{origin: origin, size: tree.N, root: root}
	if found.inclusions, err = proveRecords(tree, tiles, leaves); err != nil {
		return result{}, err
	}
	found.consistencies, err = proveSizes(tree, tiles, stored)
	return found, err
}

// storedHashes holds every whole subtree, computed from the entries alone.
type storedHashes []tlog.Hash

func (s storedHashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(s)) {
			return nil, fmt.Errorf("hash %d is not in the tree", index)
		}
		hashes[i] = s[index]
	}
	return hashes, nil
}

// hashes computes the hashes of all entries and holds each against the authenticated tile that has it.
func (f folder) hashes(tree tlog.Tree, tiles tlog.HashReader) ([]tlog.Hash, storedHashes, error) {
	var leaves []tlog.Hash
	var stored storedHashes
	for first := int64(0); first < tree.N; first += tileWidth {
		width := tree.N - first
		if width > tileWidth {
			width = tileWidth
		}
		entries, err := f.bundle(first/tileWidth, width)
		if err != nil {
			return nil, nil, err
		}
		indexes := make([]int64, width)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, first+int64(i))
		}
		expected, err := tiles.ReadHashes(indexes)
		if err != nil {
			return nil, nil, err
		}
		for i, entry := range entries {
			index, leaf := first+int64(i), tlog.RecordHash(entry)
			if leaf != expected[i] {
				return nil, nil, fmt.Errorf("entry %d hashes to %v, its tile says %v", index, leaf, expected[i])
			}
			grown, err := tlog.StoredHashesForRecordHash(index, leaf, stored)
			if err != nil {
				return nil, nil, err
			}
			leaves, stored = append(leaves, leaf), append(stored, grown...)
		}
	}
	return leaves, stored, nil
}

// proveRecords proves entries, all of a small log and some of a large one, from tiles alone.
func proveRecords(tree tlog.Tree, tiles tlog.HashReader, leaves []tlog.Hash) (int, error) {
	proved := 0
	for index := int64(0); index < tree.N; index += 1 + tree.N/inclusionsMax {
		proof, err := tlog.ProveRecord(tree.N, index, tiles)
		if err != nil {
			return proved, fmt.Errorf("entry %d: %w", index, err)
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, index, leaves[index]); err != nil {
			return proved, fmt.Errorf("entry %d: %w", index, err)
		}
		proved++
	}
	return proved, nil
}

// proveSizes proves that the tree continues the smaller trees that it was.
func proveSizes(tree tlog.Tree, tiles tlog.HashReader, stored storedHashes) (int, error) {
	proved := 0
	for size := int64(1); size <= tree.N; size += 1 + tree.N/consistenciesMax {
		old, err := tlog.TreeHash(size, stored)
		if err != nil {
			return proved, err
		}
		proof, err := tlog.ProveTree(tree.N, size, tiles)
		if err != nil {
			return proved, fmt.Errorf("size %d: %w", size, err)
		}
		if err := tlog.CheckTree(proof, tree.N, tree.Hash, size, old); err != nil {
			return proved, fmt.Errorf("size %d: %w", size, err)
		}
		proved++
	}
	return proved, nil
}
