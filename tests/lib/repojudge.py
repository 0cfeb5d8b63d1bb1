"""Reads rpm-md repositories independently of Ashlar, and compares two of them element by element."""
import bz2, gzip, hashlib, lzma, os, pathlib, subprocess
import xml.etree.ElementTree as ET

RPM = '{http://linux.duke.edu/metadata/rpm}'


def strip(tag):
    return tag.split('}')[1] if '}' in tag else tag


def decompress(path):
    data = pathlib.Path(path).read_bytes()
    if path.endswith('.gz'):
        return gzip.decompress(data)
    if path.endswith('.xz'):
        return lzma.decompress(data)
    if path.endswith('.bz2'):
        return bz2.decompress(data)
    if path.endswith('.zst'):
        return subprocess.run(['zstd', '-dcq', path], check=True, stdout=subprocess.PIPE).stdout
    return data


def read(repo):
    """{type: parsed root}; every checksum and size that repomd.xml states is checked."""
    root = ET.parse(os.path.join(repo, 'repodata/repomd.xml')).getroot()
    docs = {}
    for data in root:
        if strip(data.tag) != 'data':
            continue
        fields = {strip(e.tag): e for e in data}
        path = os.path.join(repo, fields['location'].get('href'))
        raw = pathlib.Path(path).read_bytes()
        assert hashlib.new(fields['checksum'].get('type'), raw).hexdigest() == fields['checksum'].text, path
        assert len(raw) == int(fields['size'].text), path
        text = decompress(path)
        if 'open-checksum' in fields:
            assert hashlib.new(fields['open-checksum'].get('type'), text).hexdigest() == fields['open-checksum'].text, path
            assert len(text) == int(fields['open-size'].text), path
        docs[data.get('type')] = ET.fromstring(text)
    return docs


def flat(element):
    """A comparable form: tag, attributes, text, children in order."""
    return (strip(element.tag), tuple(sorted(element.attrib.items())), (element.text or '').strip(), tuple(flat(c) for c in element))


def packages(docs, kind):
    out = {}
    for p in docs[kind]:
        if kind == 'primary':
            loc = p.find('{http://linux.duke.edu/metadata/common}location').get('href')
            key = loc
        else:
            key = p.get('pkgid')
        assert key not in out, key
        out[key] = p
    assert int(docs[kind].get('packages')) == len(out)
    return out


def differences(ours, theirs):
    """What differs between two repositories' packages, as text; empty when nothing does."""
    a, b = read(ours), read(theirs)
    out = []
    for kind in ('primary', 'filelists', 'other'):
        x, y = packages(a, kind), packages(b, kind)
        for key in sorted(set(x) | set(y)):
            if key not in x or key not in y:
                out.append(f'{kind}: {key} only in {"ours" if key in x else "theirs"}')
                continue
            f, g = flat(x[key]), flat(y[key])
            if f != g:
                diff(f, g, f'{kind} {key}', out)
    return out


def diff(f, g, path, out):
    if f[:3] != g[:3]:
        out.append(f'{path}: {f[:3]} != {g[:3]}')
        return
    if len(f[3]) != len(g[3]):
        out.append(f'{path}/{f[0]}: children {len(f[3])} != {len(g[3])}: only ours {[c for c in f[3] if c not in g[3]][:5]} only theirs {[c for c in g[3] if c not in f[3]][:5]}')
        return
    for c, d in zip(f[3], g[3]):
        if c != d:
            diff(c, d, f'{path}/{f[0]}', out)
