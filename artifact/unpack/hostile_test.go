package unpack

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cloudname/nodee/artifact/unpack/unpacktest"
	"github.com/cloudname/nodee/internal/fault"
)

// hostile is an archive that must be refused, and what the error must say.
type hostile struct {
	data   []byte
	entry  string // named, if there is one
	fault  string
	limits Limits
}

func TestHostileArchivesAreRefused(t *testing.T) {
	for name, h := range hostileArchives(t) {
		t.Run(name, func(t *testing.T) {
			_, err := unpacked(t, h.data, h.limits.OrDefault())
			if fault.KindOf(err) != fault.Invalid || fault.SlugOf(err) != "bad-archive" {
				t.Fatalf("%v, want a bad archive", err)
			}
			if !strings.Contains(err.Error(), h.fault) || h.entry != "" && !strings.Contains(err.Error(), fmt.Sprintf("entry %q", h.entry)) {
				t.Errorf("told: %v\nwant: %q of entry %q", err, h.fault, h.entry)
			}
		})
	}
}

func hostileArchives(t *testing.T) map[string]hostile {
	all := map[string]hostile{}
	// What both families can express.
	for name, h := range map[string]struct {
		members []unpacktest.Entry
		entry   string
		fault   string
	}{
		"parent":              {[]unpacktest.Entry{{Name: "../evil", Body: "x"}}, "../evil", "leads out"},
		"hidden parent":       {[]unpacktest.Entry{{Name: "a/b/../../../evil", Body: "x"}}, "a/b/../../../evil", "leads out"},
		"parent folder":       {[]unpacktest.Entry{{Name: "../"}}, "../", "leads out"},
		"absolute":            {[]unpacktest.Entry{{Name: "/etc/evil", Body: "x"}}, "/etc/evil", "absolute"},
		"backslashes":         {[]unpacktest.Entry{{Name: `..\evil`, Body: "x"}}, `..\evil`, "backslash"},
		"drive":               {[]unpacktest.Entry{{Name: `C:\evil`, Body: "x"}}, `C:\evil`, "backslash"},
		"control character":   {[]unpacktest.Entry{{Name: "a\x1b[2Jb", Body: "x"}}, "a\x1b[2Jb", "control character"},
		"newline":             {[]unpacktest.Entry{{Name: "a\nb", Body: "x"}}, "a\nb", "control character"},
		"not UTF-8":           {[]unpacktest.Entry{{Name: "a\xff", Body: "x"}}, "a\xff", "not UTF-8"},
		"only a dot":          {[]unpacktest.Entry{{Name: ".", Body: "x", Kind: tar.TypeReg}}, ".", "the name of one"},
		"long part":           {[]unpacktest.Entry{{Name: strings.Repeat("x", 256), Body: "x"}}, "", "longer than 255"},
		"deep":                {[]unpacktest.Entry{{Name: strings.Repeat("d/", 200) + "x", Body: "x"}}, "", "128 folders"},
		"twice":               {[]unpacktest.Entry{{Name: "a", Body: "x"}, {Name: "a", Body: "y"}}, "a", "twice, before as a file"},
		"twice by other name": {[]unpacktest.Entry{{Name: "a/b", Body: "x"}, {Name: "./a//b", Body: "y"}}, "./a//b", "twice"},
		"folder twice":        {[]unpacktest.Entry{{Name: "a/"}, {Name: "a/b"}, {Name: "a/"}}, "a/", "twice, before as a folder"},
		"file over folder":    {[]unpacktest.Entry{{Name: "a/b", Body: "x"}, {Name: "a", Body: "y"}}, "a", "twice, before as a folder"},
		"folder over file":    {[]unpacktest.Entry{{Name: "a", Body: "x"}, {Name: "a/"}}, "a/", "twice, before as a file"},
		"below a file":        {[]unpacktest.Entry{{Name: "a", Body: "x"}, {Name: "a/b", Body: "y"}}, "a/b", `lies in "a", which is a file`},
		"below a link":        {[]unpacktest.Entry{{Name: "d/"}, {Name: "l", Link: "d", Kind: tar.TypeSymlink}, {Name: "l/b", Body: "y"}}, "l/b", `lies in "l", which is a link`},
		"link over file":      {[]unpacktest.Entry{{Name: "a", Body: "x"}, {Name: "a", Link: "b", Kind: tar.TypeSymlink}}, "a", "twice"},
		"file over link":      {[]unpacktest.Entry{{Name: "a", Link: "b", Kind: tar.TypeSymlink}, {Name: "a", Body: "x"}}, "a", "twice, before as a link"},
		"link out":            {[]unpacktest.Entry{{Name: "l", Link: "../secret", Kind: tar.TypeSymlink}}, "l", "leads out"},
		"link out by detour":  {[]unpacktest.Entry{{Name: "d/l", Link: "x/../../../secret", Kind: tar.TypeSymlink}}, "d/l", "leads out"},
		"absolute link":       {[]unpacktest.Entry{{Name: "l", Link: "/etc/passwd", Kind: tar.TypeSymlink}}, "l", "absolute"},
		"link to itself":      {[]unpacktest.Entry{{Name: "l", Link: "l", Kind: tar.TypeSymlink}}, "l", "circle"},
		"links in a circle":   {[]unpacktest.Entry{{Name: "a", Link: "b", Kind: tar.TypeSymlink}, {Name: "b", Link: "a", Kind: tar.TypeSymlink}}, "a", "circle"},
		"chain of links out": {[]unpacktest.Entry{{Name: "a/b/"}, {Name: "a/b/up", Link: "../..", Kind: tar.TypeSymlink},
			{Name: "out", Link: "a/b/up/../secret", Kind: tar.TypeSymlink}}, "out", "by way of other links"},
		"chain to nothing": {[]unpacktest.Entry{{Name: "a/b/"}, {Name: "a/b/up", Link: "../..", Kind: tar.TypeSymlink},
			{Name: "out", Link: "a/b/up/../nothing", Kind: tar.TypeSymlink}}, "out", "by way of other links"},
		"link without target": {[]unpacktest.Entry{{Name: "l", Link: "", Kind: tar.TypeSymlink}}, "l", "empty"},
		"fifo":                {[]unpacktest.Entry{{Name: "f", Kind: tar.TypeFifo}}, "f", "is a fifo"},
		"character device":    {[]unpacktest.Entry{{Name: "null", Kind: tar.TypeChar}}, "null", "is a device"},
		"block device":        {[]unpacktest.Entry{{Name: "disk", Kind: tar.TypeBlock}}, "disk", "is a device"},
		"empty":               {nil, "", ""},
		"only the top folder": {[]unpacktest.Entry{{Name: "./"}}, "", "it is empty"},
	} {
		all["tar: "+name] = hostile{data: unpacktest.Gz(t, unpacktest.Tar(t, h.members...)), entry: h.entry, fault: h.fault}
		all["zip: "+name] = hostile{data: unpacktest.Zip(t, h.members...), entry: h.entry, fault: h.fault}
	}
	maps.Copy(all, hostileTars(t))
	maps.Copy(all, hostileZips(t))
	maps.Copy(all, hostileStreams(t))
	return all
}

func hostileTars(t *testing.T) map[string]hostile {
	file := unpacktest.Entry{Name: "a", Body: "content"}
	long := strings.Repeat("x", 100<<10)
	return map[string]hostile{
		"tar: hard link out":       {unpacktest.Tar(t, file, unpacktest.Entry{Name: "h", Link: "../secret", Kind: tar.TypeLink}), "h", "leads out", Limits{}},
		"tar: absolute hard link":  {unpacktest.Tar(t, file, unpacktest.Entry{Name: "h", Link: "/etc/passwd", Kind: tar.TypeLink}), "h", "absolute", Limits{}},
		"tar: hard link to none":   {unpacktest.Tar(t, file, unpacktest.Entry{Name: "h", Link: "b", Kind: tar.TypeLink}), "h", "not in the archive before it", Limits{}},
		"tar: hard link below":     {unpacktest.Tar(t, file, unpacktest.Entry{Name: "h", Link: "a/b", Kind: tar.TypeLink}), "h", "not in the archive before it", Limits{}},
		"tar: hard link to folder": {unpacktest.Tar(t, unpacktest.Entry{Name: "d/"}, unpacktest.Entry{Name: "h", Link: "d", Kind: tar.TypeLink}), "h", "which is a folder", Limits{}},
		"tar: hard link to link":   {unpacktest.Tar(t, file, unpacktest.Entry{Name: "l", Link: "a", Kind: tar.TypeSymlink}, unpacktest.Entry{Name: "h", Link: "l", Kind: tar.TypeLink}), "h", "which is a link", Limits{}},
		"tar: hard link to itself": {unpacktest.Tar(t, file, unpacktest.Entry{Name: "a", Link: "a", Kind: tar.TypeLink}), "a", "twice", Limits{}},
		"tar: hard link over file": {unpacktest.Tar(t, file, unpacktest.Entry{Name: "b"}, unpacktest.Entry{Name: "b", Link: "a", Kind: tar.TypeLink}), "b", "twice", Limits{}},
		"tar: hard links add up":   {unpacktest.Tar(t, file, unpacktest.Entry{Name: "h", Link: "a", Kind: tar.TypeLink}), "h", "max_bytes", Limits{MaxBytes: 10}},
		"tar: contiguous file":     {unpacktest.Tar(t, unpacktest.Entry{Name: "c", Kind: tar.TypeCont}), "c", "of the kind '7'", Limits{}},
		"tar: no name":             {unpacktest.Patch(t, rechecked(unpacktest.Tar(t, file), func(h []byte) { h[0] = 0 }), "ustar", "ustar", 0), "", "empty", Limits{}},
		"tar: file like a folder":  {typed(t, "a/", tar.TypeReg), "a/", "the name of one", Limits{}},
		"tar: sparse beyond bytes": {sparse(t, "big", 1<<40), "big", "max_bytes", Limits{MaxBytes: 1 << 20, MaxRatio: 1 << 40}},
		"tar: sparse beyond ratio": {sparse(t, "big", 1<<40), "big", "max_ratio", Limits{}},
		"tar: bomb":                {unpacktest.Gz(t, unpacktest.Tar(t, unpacktest.Entry{Name: "zeros", Body: string(make([]byte, 1<<20))})), "zeros", "max_ratio", Limits{}},
		"tar: bomb after the end":  {unpacktest.Gz(t, append(unpacktest.Tar(t, file), make([]byte, 8<<20)...)), "", "headers and padding", Limits{MaxBytes: 1 << 20, MaxFiles: 10}},
		"tar: bomb of headers":     {unpacktest.Gz(t, slices.Concat(bytes.Repeat(globalHeader(t)[:1024], 1000), unpacktest.Tar(t, file))), "", "headers and padding", Limits{MaxBytes: 1 << 10, MaxFiles: 10}},
		"tar: too many files":      {unpacktest.Tar(t, file, unpacktest.Entry{Name: "b"}, unpacktest.Entry{Name: "c"}), "", "more than 2 entries", Limits{MaxFiles: 2}},
		"tar: too many folders":    {unpacktest.Tar(t, unpacktest.Entry{Name: "1/2/3/4/x"}), "", "more than 3 folders", Limits{MaxFiles: 3}},
		"tar: too many bytes":      {unpacktest.Tar(t, file, unpacktest.Entry{Name: "b", Body: long}), "b", "max_bytes", Limits{MaxBytes: 100 << 10}},
		"tar: cut off in a file":   {unpacktest.Tar(t, unpacktest.Entry{Name: "b", Body: long})[:50<<10], "b", "cut off", Limits{}},
		"tar: cut off in a header": {unpacktest.Gz(t, unpacktest.Tar(t, file, file)[:1024+100]), "a", "cut off after", Limits{}},
		"tar: cut off at an entry": {unpacktest.Gz(t, unpacktest.Tar(t, file, unpacktest.Entry{Name: "b"})[:1024]), "a", "cut off after", Limits{}},
		"tar: bad header":          {unpacktest.Gz(t, unpacktest.Patch(t, unpacktest.Tar(t, file, unpacktest.Entry{Name: "b"}), "ustar", "uster", 1)), "a", "damaged after", Limits{}},
		"tar: something follows":   {append(unpacktest.Tar(t, file), "something"...), "", "follows its end", Limits{}},
		"tar: another tar follows": {unpacktest.Gz(t, slices.Concat(unpacktest.Tar(t, file), unpacktest.Tar(t, unpacktest.Entry{Name: "b"}))), "", "follows its end", Limits{}},
	}
}

func hostileZips(t *testing.T) map[string]hostile {
	file := unpacktest.Entry{Name: "a", Body: "content"}
	whole := unpacktest.Zip(t, file, unpacktest.Entry{Name: "b", Body: strings.Repeat("0123456789", 1000)})
	central := bytes.Index(whole, []byte("PK\x01\x02"))
	set := func(at int, b ...byte) []byte {
		out := bytes.Clone(whole)
		copy(out[central+at:], b)
		return out
	}
	return map[string]hostile{
		"zip: encrypted":         {set(8, 0x09), "a", "encrypted", Limits{}},
		"zip: strongly":          {set(8, 0x48), "a", "encrypted", Limits{}},
		"zip: odd method":        {set(10, 12, 0), "a", "method 12", Limits{}},
		"zip: bad checksum":      {unpacktest.Patch(t, whole, string(whole[central+16:central+20]), "zzzz", -1), "a", "checksum", Limits{}},
		"zip: claims less":       {set(24, 1), "a", "damaged", Limits{}},
		"zip: claims more":       {set(24, 100), "a", "cut off", Limits{}},
		"zip: bad content":       {unpacktest.Patch(t, whole, string(whole[31:34]), "\xff\xff\xff", 0), "a", "damaged", Limits{}},
		"zip: no name":           {unpacktest.Zip(t, unpacktest.Entry{Name: "", Body: "x"}), "", "empty", Limits{}},
		"zip: bad offset":        {set(42, 1), "a", "damaged", Limits{}},
		"zip: folder's content":  {unpacktest.Patch(t, unpacktest.Zip(t, unpacktest.Entry{Name: "ab", Body: "x"}), "ab", "a/", -1), "a/", "folder with content", Limits{}},
		"zip: long target":       {unpacktest.Zip(t, unpacktest.Entry{Name: "l", Link: strings.Repeat("x", 3000), Kind: tar.TypeSymlink}), "l", "target of more than", Limits{}},
		"zip: bomb":              {unpacktest.Zip(t, unpacktest.Entry{Name: "zeros", Body: string(make([]byte, 1<<20))}), "zeros", "max_ratio", Limits{}},
		"zip: too many files":    {unpacktest.Zip(t, file, unpacktest.Entry{Name: "b"}, unpacktest.Entry{Name: "c"}), "", "more than 2 entries", Limits{MaxFiles: 2}},
		"zip: too many bytes":    {whole, "b", "max_bytes", Limits{MaxBytes: 5000}},
		"zip: cut off":           {whole[:len(whole)/2], "", "without a whole directory", Limits{}},
		"zip: cut off at end":    {whole[:len(whole)-1], "", "without a whole directory", Limits{}},
		"zip: something follows": {append(bytes.Clone(whole), "something"...), "", "follows its end", Limits{}},
		"zip: only its magic":    {[]byte("PK\x03\x04"), "", "without a whole directory", Limits{}},
	}
}

// hostileStreams are faults of the bytes around a good tar.
func hostileStreams(t *testing.T) map[string]hostile {
	var body strings.Builder
	body.WriteString(strings.Repeat("some words that can be packed, and a number: ", 3))
	for i := range 20_000 {
		body.WriteString(fmt.Sprint(i * i * i))
	}
	whole := unpacktest.Tar(t, unpacktest.Entry{Name: "a", Body: body.String()})
	all := map[string]hostile{
		"nothing":       {nil, "", "empty file", Limits{}},
		"a page":        {[]byte("<!DOCTYPE html><title>Log in</title>"), "", `which is "<!DOCTYPE html>`, Limits{}},
		"one byte":      {[]byte("P"), "", "no zip", Limits{}},
		"zeros":         {make([]byte, 10240), "", "no zip", Limits{}},
		"only gz magic": {[]byte{0x1f, 0x8b}, "", "damaged from the start", Limits{}},
		"brotli's":      {[]byte("\x0b\x02\x80hello\x03"), "", "no zip", Limits{}},
	}
	for name, pack := range map[string]func(testing.TB, []byte) []byte{"gz": unpacktest.Gz, "zst": unpacktest.Zst, "xz": unpacktest.Xz} {
		packed := pack(t, whole)
		flipped := func(at int) []byte {
			b := bytes.Clone(packed)
			b[at] ^= 0x55
			return b
		}
		all[name+": cut off"] = hostile{packed[:len(packed)/2], "", map[string]string{"gz": "cut off", "zst": "cut off", "xz": "truncated or corrupt"}[name], Limits{}}
		all[name+": cut off at the end"] = hostile{packed[:len(packed)-3], "", "", Limits{}}
		all[name+": damaged"] = hostile{flipped(len(packed) / 2), "", "damaged", Limits{}}
		all[name+": bad checksum"] = hostile{flipped(len(packed) - 6 + map[string]int{"zst": 3}[name]), "", "damaged", Limits{}}
		all[name+": something follows"] = hostile{append(bytes.Clone(packed), "something that follows"...), "", "damaged after", Limits{}}
		all[name+": no tar inside"] = hostile{pack(t, []byte(body.String())), "", "damaged at its beginning", Limits{}}
		all[name+": nothing inside"] = hostile{pack(t, nil), "", "", Limits{}}
		all[name+": a zip inside"] = hostile{pack(t, unpacktest.Zip(t, unpacktest.Entry{Name: "a", Body: body.String()})), "", "damaged at its beginning", Limits{}}
	}
	return all
}

// rechecked changes the first header of a tar and makes its checksum right again.
func rechecked(data []byte, change func(header []byte)) []byte {
	h := data[:512]
	change(h)
	copy(h[148:156], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return data
}

func typed(t *testing.T, name string, kind byte) []byte {
	return rechecked(unpacktest.Tar(t, unpacktest.Entry{Name: name}), func(h []byte) { h[156] = kind })
}

// sparse returns an old GNU tar of a file with one byte of data and size-1 bytes of hole.
func sparse(t *testing.T, name string, size int64) []byte {
	return rechecked(unpacktest.Tar(t, unpacktest.Entry{Name: name, Body: "x"}), func(h []byte) {
		h[156] = tar.TypeGNUSparse
		clear(h[257:512])
		copy(h[257:], "ustar  \x00")
		copy(h[386:], "00000000000\x0000000000001\x00")
		h[483] = 0x80 // base 256
		binary.BigEndian.PutUint64(h[487:], uint64(size))
	})
}

func globalHeader(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, err := range []error{
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"comment": "0123456789abcdef"}}),
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "a"}), w.Close(),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return b.Bytes()
}

func zipComment(t *testing.T, data []byte, comment string) []byte {
	t.Helper()
	data[len(data)-2] = byte(len(comment))
	return append(data, comment...)
}
