// Command tlogread reads an exported Cairn log with Go's own transparency log packages, those behind the checksum
// database of Go modules, and nothing of Cairn.
//
//	tlogread -vkey KEY FOLDER
//
// It opens the checkpoint with the key, reads every tile through tlog.TileHashReader (which checks each against the
// signed root), recomputes the root from the entries, and proves entries and older sizes. What the entries say it does
// not know. Exit code 0: the log is sound. 1: it is not. 2: the call is wrong.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(arguments []string, out, errors io.Writer) int {
	flags := flag.NewFlagSet("tlogread", flag.ContinueOnError)
	flags.SetOutput(errors)
	vkey := flags.String("vkey", "", "the log's verifier key: name+id+base64")
	flags.Usage = func() {
		fmt.Fprintln(errors, "usage: tlogread -vkey KEY FOLDER")
		flags.PrintDefaults()
	}
	if flags.Parse(arguments) != nil {
		return 2
	}
	if *vkey == "" || flags.NArg() != 1 {
		flags.Usage()
		return 2
	}
	found, err := check(flags.Arg(0), *vkey)
	if err != nil {
		fmt.Fprintln(out, "FAIL", err)
		return 1
	}
	fmt.Fprintf(out, "PASS %s: %d entries under root %v; %d inclusion and %d consistency proofs hold\n",
		found.origin, found.size, found.root, found.inclusions, found.consistencies)
	return 0
}
