package fetch

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

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
			_, err := unpacked(t, h.data, h.limits.orDefault())
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
		members []member
		entry   string
		fault   string
	}{
		"parent":              {[]member{{name: "../evil", body: "x"}}, "../evil", "leads out"},
		"hidden parent":       {[]member{{name: "a/b/../../../evil", body: "x"}}, "a/b/../../../evil", "leads out"},
		"parent folder":       {[]member{{name: "../"}}, "../", "leads out"},
		"absolute":            {[]member{{name: "/etc/evil", body: "x"}}, "/etc/evil", "absolute"},
		"backslashes":         {[]member{{name: `..\evil`, body: "x"}}, `..\evil`, "backslash"},
		"drive":               {[]member{{name: `C:\evil`, body: "x"}}, `C:\evil`, "backslash"},
		"control character":   {[]member{{name: "a\x1b[2Jb", body: "x"}}, "a\x1b[2Jb", "control character"},
		"newline":             {[]member{{name: "a\nb", body: "x"}}, "a\nb", "control character"},
		"not UTF-8":           {[]member{{name: "a\xff", body: "x"}}, "a\xff", "not UTF-8"},
		"only a dot":          {[]member{{name: ".", body: "x", kind: tar.TypeReg}}, ".", "the name of one"},
		"long part":           {[]member{{name: strings.Repeat("x", 256), body: "x"}}, "", "longer than 255"},
		"deep":                {[]member{{name: strings.Repeat("d/", 200) + "x", body: "x"}}, "", "128 folders"},
		"twice":               {[]member{{name: "a", body: "x"}, {name: "a", body: "y"}}, "a", "twice, before as a file"},
		"twice by other name": {[]member{{name: "a/b", body: "x"}, {name: "./a//b", body: "y"}}, "./a//b", "twice"},
		"folder twice":        {[]member{{name: "a/"}, {name: "a/b"}, {name: "a/"}}, "a/", "twice, before as a folder"},
		"file over folder":    {[]member{{name: "a/b", body: "x"}, {name: "a", body: "y"}}, "a", "twice, before as a folder"},
		"folder over file":    {[]member{{name: "a", body: "x"}, {name: "a/"}}, "a/", "twice, before as a file"},
		"below a file":        {[]member{{name: "a", body: "x"}, {name: "a/b", body: "y"}}, "a/b", `lies in "a", which is a file`},
		"below a link":        {[]member{{name: "d/"}, {name: "l", link: "d", kind: tar.TypeSymlink}, {name: "l/b", body: "y"}}, "l/b", `lies in "l", which is a link`},
		"link over file":      {[]member{{name: "a", body: "x"}, {name: "a", link: "b", kind: tar.TypeSymlink}}, "a", "twice"},
		"file over link":      {[]member{{name: "a", link: "b", kind: tar.TypeSymlink}, {name: "a", body: "x"}}, "a", "twice, before as a link"},
		"link out":            {[]member{{name: "l", link: "../secret", kind: tar.TypeSymlink}}, "l", "leads out"},
		"link out by detour":  {[]member{{name: "d/l", link: "x/../../../secret", kind: tar.TypeSymlink}}, "d/l", "leads out"},
		"absolute link":       {[]member{{name: "l", link: "/etc/passwd", kind: tar.TypeSymlink}}, "l", "absolute"},
		"link to itself":      {[]member{{name: "l", link: "l", kind: tar.TypeSymlink}}, "l", "circle"},
		"links in a circle":   {[]member{{name: "a", link: "b", kind: tar.TypeSymlink}, {name: "b", link: "a", kind: tar.TypeSymlink}}, "a", "circle"},
		"chain of links out": {[]member{{name: "a/b/"}, {name: "a/b/up", link: "../..", kind: tar.TypeSymlink},
			{name: "out", link: "a/b/up/../secret", kind: tar.TypeSymlink}}, "out", "by way of other links"},
		"chain to nothing": {[]member{{name: "a/b/"}, {name: "a/b/up", link: "../..", kind: tar.TypeSymlink},
			{name: "out", link: "a/b/up/../nothing", kind: tar.TypeSymlink}}, "out", "by way of other links"},
		"link without target": {[]member{{name: "l", link: "", kind: tar.TypeSymlink}}, "l", "empty"},
		"fifo":                {[]member{{name: "f", kind: tar.TypeFifo}}, "f", "is a fifo"},
		"character device":    {[]member{{name: "null", kind: tar.TypeChar}}, "null", "is a device"},
		"block device":        {[]member{{name: "disk", kind: tar.TypeBlock}}, "disk", "is a device"},
		"empty":               {nil, "", ""},
		"only the top folder": {[]member{{name: "./"}}, "", "it is empty"},
	} {
		all["tar: "+name] = hostile{data: gz(t, tarOf(t, h.members...)), entry: h.entry, fault: h.fault}
		all["zip: "+name] = hostile{data: zipOf(t, h.members...), entry: h.entry, fault: h.fault}
	}
	maps.Copy(all, hostileTars(t))
	maps.Copy(all, hostileZips(t))
	maps.Copy(all, hostileStreams(t))
	return all
}

func hostileTars(t *testing.T) map[string]hostile {
	file := member{name: "a", body: "content"}
	long := strings.Repeat("x", 100<<10)
	return map[string]hostile{
		"tar: hard link out":       {tarOf(t, file, member{name: "h", link: "../secret", kind: tar.TypeLink}), "h", "leads out", Limits{}},
		"tar: absolute hard link":  {tarOf(t, file, member{name: "h", link: "/etc/passwd", kind: tar.TypeLink}), "h", "absolute", Limits{}},
		"tar: hard link to none":   {tarOf(t, file, member{name: "h", link: "b", kind: tar.TypeLink}), "h", "not in the archive before it", Limits{}},
		"tar: hard link below":     {tarOf(t, file, member{name: "h", link: "a/b", kind: tar.TypeLink}), "h", "not in the archive before it", Limits{}},
		"tar: hard link to folder": {tarOf(t, member{name: "d/"}, member{name: "h", link: "d", kind: tar.TypeLink}), "h", "which is a folder", Limits{}},
		"tar: hard link to link":   {tarOf(t, file, member{name: "l", link: "a", kind: tar.TypeSymlink}, member{name: "h", link: "l", kind: tar.TypeLink}), "h", "which is a link", Limits{}},
		"tar: hard link to itself": {tarOf(t, file, member{name: "a", link: "a", kind: tar.TypeLink}), "a", "twice", Limits{}},
		"tar: hard link over file": {tarOf(t, file, member{name: "b"}, member{name: "b", link: "a", kind: tar.TypeLink}), "b", "twice", Limits{}},
		"tar: hard links add up":   {tarOf(t, file, member{name: "h", link: "a", kind: tar.TypeLink}), "h", "max_bytes", Limits{MaxBytes: 10}},
		"tar: contiguous file":     {tarOf(t, member{name: "c", kind: tar.TypeCont}), "c", "of the kind '7'", Limits{}},
		"tar: no name":             {patch(t, rechecked(tarOf(t, file), func(h []byte) { h[0] = 0 }), "ustar", "ustar", 0), "", "empty", Limits{}},
		"tar: file like a folder":  {typed(t, "a/", tar.TypeReg), "a/", "the name of one", Limits{}},
		"tar: sparse beyond bytes": {sparse(t, "big", 1<<40), "big", "max_bytes", Limits{MaxBytes: 1 << 20, MaxRatio: 1 << 40}},
		"tar: sparse beyond ratio": {sparse(t, "big", 1<<40), "big", "max_ratio", Limits{}},
		"tar: bomb":                {gz(t, tarOf(t, member{name: "zeros", body: string(make([]byte, 1<<20))})), "zeros", "max_ratio", Limits{}},
		"tar: bomb after the end":  {gz(t, append(tarOf(t, file), make([]byte, 8<<20)...)), "", "headers and padding", Limits{MaxBytes: 1 << 20, MaxFiles: 10}},
		"tar: bomb of headers":     {gz(t, slices.Concat(bytes.Repeat(globalHeader(t)[:1024], 1000), tarOf(t, file))), "", "headers and padding", Limits{MaxBytes: 1 << 10, MaxFiles: 10}},
		"tar: too many files":      {tarOf(t, file, member{name: "b"}, member{name: "c"}), "", "more than 2 entries", Limits{MaxFiles: 2}},
		"tar: too many folders":    {tarOf(t, member{name: "1/2/3/4/x"}), "", "more than 3 folders", Limits{MaxFiles: 3}},
		"tar: too many bytes":      {tarOf(t, file, member{name: "b", body: long}), "b", "max_bytes", Limits{MaxBytes: 100 << 10}},
		"tar: cut off in a file":   {tarOf(t, member{name: "b", body: long})[:50<<10], "b", "cut off", Limits{}},
		"tar: cut off in a header": {gz(t, tarOf(t, file, file)[:1024+100]), "a", "cut off after", Limits{}},
		"tar: cut off at an entry": {gz(t, tarOf(t, file, member{name: "b"})[:1024]), "a", "cut off after", Limits{}},
		"tar: bad header":          {gz(t, patch(t, tarOf(t, file, member{name: "b"}), "ustar", "uster", 1)), "a", "damaged after", Limits{}},
		"tar: something follows":   {append(tarOf(t, file), "something"...), "", "follows its end", Limits{}},
		"tar: another tar follows": {gz(t, slices.Concat(tarOf(t, file), tarOf(t, member{name: "b"}))), "", "follows its end", Limits{}},
	}
}

func hostileZips(t *testing.T) map[string]hostile {
	file := member{name: "a", body: "content"}
	whole := zipOf(t, file, member{name: "b", body: strings.Repeat("0123456789", 1000)})
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
		"zip: bad checksum":      {patch(t, whole, string(whole[central+16:central+20]), "zzzz", -1), "a", "checksum", Limits{}},
		"zip: claims less":       {set(24, 1), "a", "damaged", Limits{}},
		"zip: claims more":       {set(24, 100), "a", "cut off", Limits{}},
		"zip: bad content":       {patch(t, whole, string(whole[31:34]), "\xff\xff\xff", 0), "a", "damaged", Limits{}},
		"zip: no name":           {zipOf(t, member{name: "", body: "x"}), "", "empty", Limits{}},
		"zip: bad offset":        {set(42, 1), "a", "damaged", Limits{}},
		"zip: folder's content":  {patch(t, zipOf(t, member{name: "ab", body: "x"}), "ab", "a/", -1), "a/", "folder with content", Limits{}},
		"zip: long target":       {zipOf(t, member{name: "l", link: strings.Repeat("x", 3000), kind: tar.TypeSymlink}), "l", "target of more than", Limits{}},
		"zip: bomb":              {zipOf(t, member{name: "zeros", body: string(make([]byte, 1<<20))}), "zeros", "max_ratio", Limits{}},
		"zip: too many files":    {zipOf(t, file, member{name: "b"}, member{name: "c"}), "", "more than 2 entries", Limits{MaxFiles: 2}},
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
	whole := tarOf(t, member{name: "a", body: body.String()})
	all := map[string]hostile{
		"nothing":       {nil, "", "empty file", Limits{}},
		"a page":        {[]byte("<!DOCTYPE html><title>Log in</title>"), "", `which is "<!DOCTYPE html>`, Limits{}},
		"one byte":      {[]byte("P"), "", "no zip", Limits{}},
		"zeros":         {make([]byte, 10240), "", "no zip", Limits{}},
		"only gz magic": {[]byte{0x1f, 0x8b}, "", "damaged from the start", Limits{}},
		"brotli's":      {[]byte("\x0b\x02\x80hello\x03"), "", "no zip", Limits{}},
	}
	for name, pack := range map[string]func(testing.TB, []byte) []byte{"gz": gz, "zst": zst, "xz": xz} {
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
		all[name+": a zip inside"] = hostile{pack(t, zipOf(t, member{name: "a", body: body.String()})), "", "damaged at its beginning", Limits{}}
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
	return rechecked(tarOf(t, member{name: name}), func(h []byte) { h[156] = kind })
}

// sparse returns an old GNU tar of a file with one byte of data and size-1 bytes of hole.
func sparse(t *testing.T, name string, size int64) []byte {
	return rechecked(tarOf(t, member{name: name, body: "x"}), func(h []byte) {
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
