"""What Django reads from multipart bodies, the usual ones and those made to harm → multipart_vectors.json.

    python test/django/make_multipart_vectors.py > test/django/multipart_vectors.json

Bytes stand in the file as Latin-1. Nothing here needs a database.
"""

import io
import json
import sys

import django
from django.conf import settings

settings.configure(SECRET_KEY="unused", DATA_UPLOAD_MAX_NUMBER_FIELDS=4, DATA_UPLOAD_MAX_NUMBER_FILES=3,
                   DATA_UPLOAD_MAX_MEMORY_SIZE=200, FILE_UPLOAD_MAX_MEMORY_SIZE=3000)
django.setup()

from django.core.handlers.wsgi import WSGIRequest  # noqa: E402

FORM = "multipart/form-data; boundary=X"
END = b"--X--\r\n"


def part(headers, content=b""):
    if isinstance(headers, str):
        headers = headers.encode()
    return b"--X\r\n" + headers + b"\r\n\r\n" + content + b"\r\n"


def field(name, value, more=""):
    return part(f'Content-Disposition: form-data; name="{name}"{more}', value)


def file(filename, content=b"hello", more="Content-Type: text/plain"):
    if isinstance(filename, str):
        filename = filename.encode()
    line = b'Content-Disposition: form-data; name="f"; filename="' + filename + b'"'
    return part(line + (b"\r\n" + more.encode() if more else b""), content)


def extended(parameter):
    return part(f'Content-Disposition: form-data; name="f"; {parameter}', b"hello")


NAMES = {
    "plain": "a.txt", "a path": "/etc/passwd", "a relative path": "../../etc/passwd", "dots": "..", "a dot": ".",
    "a slash at the end": "a/", "a Windows path": "C:\\temp\\a.txt", "a Windows path ending in a backslash": "C:\\temp\\\\",
    "a drive": "C:a.txt", "mixed separators": "a/b\\c.txt", "a UNC path": "\\\\\\\\host\\\\share\\\\a.txt",
    "a NUL": "a\0.txt", "a NUL before the extension": "a.php\0.jpg", "control characters": "a\x01\x1f\x7f\x85.txt",
    "a tab": "a\tb.txt", "spaces around": "  a.txt  ", "spaces alone": "   ", "a no-break space": "a\u00a0b",
    "a right-to-left override": "a\u202etxt.exe", "zero width": "a\u200b\u200d\ufeffb", "line separators": "a\u2028\u2029b",
    "Chinese": "\u6e05\u5355.txt", "an emoji": "\U0001f600.png", "a private use character": "\ue000a",
    "an unassigned code point": "\u0378a", "a combining mark": "e\u0301.txt", "an ideographic space": "a\u3000b",
    "an entity for a slash": "a&#47;b.txt", "a hexadecimal entity": "a&#x2f;..&#x2F;b.txt", "an entity without semicolon": "a&#47b.txt",
    "a named entity": "a&amp;b.txt", "a named entity without semicolon": "a&ampb.txt", "an unknown entity": "a&nosuch;b.txt",
    "an entity for NUL": "a&#0;b", "an entity for a control": "a&#1;b", "an entity for a Windows character": "a&#128;b",
    "an entity beyond Unicode": "a&#x110000;b", "an entity for a surrogate": "a&#xD800;b", "a backslash entity": "a&bsol;b.txt",
    "a slash entity": "a&sol;b.txt", "entity soup": "&&;&#;&#x;&lt;&gt", "a double entity": "a&amp;#47;b",
    "an escaped quote": 'a\\"b.txt', "a browser's quote": "a%22b.txt", "an unescaped quote": 'a"b.txt', "a semicolon": "a;b.txt",
    "percent": "a%2Fb.txt", "hidden": ".htaccess", "dots before": "...a", "dots after": "a...", "a tilde": "~root",
    "255 characters": "b" * 251 + ".txt", "256 characters": "b" * 252 + ".txt", "600 characters": "b" * 600 + ".txt",
    "300 without an extension": "b" * 300, "a long extension": "a." + "b" * 300, "a long hidden one": "." + "b" * 300,
    "300 Chinese": "\u6e05" * 300, "256 emoji": "\U0001f600" * 200 + ".png", "reserved at Windows": "CON", "a stream of NTFS": "a.txt::$DATA",
}

CASES = [
    ("a field", FORM, field("a", b"1") + END),
    ("a name given twice", FORM, field("a", b"1") + field("b", b"2") + field("a", b"3") + END),
    ("an empty value", FORM, field("a", b"") + END),
    ("an empty name", FORM, field("", b"1") + END),
    ("a name with spaces around", FORM, field("  a\t", b"1") + END),
    ("a name in Chinese", FORM, field("\u6e05", "\u6e05".encode()) + END),
    ("names of prototypes", FORM, field("__proto__", b"1") + field("constructor", b"2") + END),
    ("a value that is no UTF-8", FORM, field("a", b"\xff\x00\xfe") + END),
    ("a value with line ends", FORM, field("a", b"\r\n1\r\n\n--\r\n") + END),
    ("a value with a piece of the boundary", FORM, field("a", b"1\r\n--\r\n-X\r\n") + END),
    ("a character set of the part", FORM, part('Content-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset=latin1', b"\xe9") + END),
    ("a content type without a file name", FORM, part('Content-Disposition: form-data; name="a"\r\nContent-Type: application/octet-stream', b"1") + END),
    ("no form at all", FORM, b""),
    ("the end alone", FORM, END),
    ("a preamble and an epilogue", FORM, b"before\r\n" + field("a", b"1") + END + b"after"),
    ("an epilogue that looks like a part", FORM, field("a", b"1") + END + field("b", b"2") + END),
    ("a boundary in quotes", 'multipart/form-data; boundary="X"', field("a", b"1") + END),
    ("a type in capitals", "multipart/form-data; BOUNDARY=X", field("a", b"1") + END),
    ("a character set of the form", FORM + "; charset=utf-8", field("a", "\u6e05".encode()) + END),
    ("no boundary", "multipart/form-data", field("a", b"1") + END),
    ("an empty boundary", "multipart/form-data; boundary=", field("a", b"1") + END),
    ("a boundary of 201 characters", "multipart/form-data; boundary=" + "X" * 201, b"--" + b"X" * 201 + b'\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--' + b"X" * 201 + b"--\r\n"),
    ("a boundary of 202 characters", "multipart/form-data; boundary=" + "X" * 202, END),
    ("a boundary that ends in a space", 'multipart/form-data; boundary="X "', END),
    ("another boundary", "multipart/form-data; boundary=Y", field("a", b"1") + END),
    ("a body without a boundary", FORM, b"nonsense"),
    ("no end", FORM, field("a", b"1")),
    ("no end, and the second part cut in its value", FORM, field("a", b"1") + b'--X\r\nContent-Disposition: form-data; name="b"\r\n\r\nhal'),
    ("cut in the headers", FORM, field("a", b"1") + b"--X\r\nContent-Dispo"),
    ("cut in a file", FORM, field("a", b"1") + file("a.txt")[:-4]),
    ("cut in the end", FORM, field("a", b"1") + b"--X-"),
    ("a part without headers", FORM, b"--X\r\n\r\n1\r\n" + field("a", b"1") + END),
    ("a part without a disposition", FORM, part("Content-Type: text/plain", b"1") + field("a", b"1") + END),
    ("a part without a name", FORM, part("Content-Disposition: form-data", b"1") + field("a", b"1") + END),
    ("a file without a name of its field", FORM, part('Content-Disposition: form-data; filename="a.txt"', b"1") + field("a", b"1") + END),
    ("another disposition", FORM, part('Content-Disposition: attachment; name="a"', b"1") + END),
    ("headers in capitals", FORM, part('CONTENT-DISPOSITION: FORM-DATA; NAME="a"', b"1") + END),
    ("a name without quotes", FORM, part("Content-Disposition: form-data; name=a", b"1") + END),
    ("spaces around the equals sign", FORM, part('Content-Disposition: form-data; name = "a"', b"1") + END),
    ("no space after the colon", FORM, part('Content-Disposition:form-data;name="a"', b"1") + END),
    ("two names in one part", FORM, part('Content-Disposition: form-data; name="a"; name="b"', b"1") + END),
    ("two dispositions in one part", FORM, part('Content-Disposition: form-data; name="a"\r\nContent-Disposition: form-data; name="b"', b"1") + END),
    ("a quote that is not closed", FORM, part('Content-Disposition: form-data; name="a', b"1") + END),
    ("a header that is none after the disposition", FORM, part('Content-Disposition: form-data; name="a"\r\nnonsense', b"1") + END),
    ("a header that is none before the disposition", FORM, part('nonsense\r\nContent-Disposition: form-data; name="a"', b"1") + END),
    ("a disposition that is no UTF-8", FORM, part(b'Content-Disposition: form-data; name="\xff"', b"1") + END),
    ("2000 bytes of headers", FORM, part('Content-Disposition: form-data; name="a"\r\nX: ' + "y" * 2000, b"1") + END),
    ("20000 bytes of headers", FORM, part('Content-Disposition: form-data; name="a"\r\nX: ' + "y" * 20000, b"1") + END),
    ("many headers", FORM, part('Content-Disposition: form-data; name="a"\r\n' + "X: y\r\n" * 5000, b"1") + END),
    ("as many fields as allowed", FORM, b"".join(field("a", b"1") for _ in range(4)) + END),
    ("more fields than allowed", FORM, b"".join(field("a", b"1") for _ in range(5)) + END),
    ("as many files as allowed", FORM, b"".join(file("a.txt") for _ in range(3)) + END),
    ("more files than allowed", FORM, b"".join(file("a.txt") for _ in range(4)) + END),
    ("more files with useless names than allowed", FORM, b"".join(file("..") for _ in range(4)) + END),
    ("more parts without headers than allowed", FORM, b"--X\r\n\r\n1\r\n" * 6 + END),
    ("more unnamed parts than fields are allowed", FORM, part("Content-Disposition: form-data", b"1") * 6 + END),
    ("as large fields as allowed", FORM, field("a", b"x" * 197) + END),
    ("larger fields than allowed", FORM, field("a", b"x" * 198) + END),
    ("larger fields than allowed together", FORM, field("a", b"x" * 97) + field("b", b"x" * 98) + END),
    ("a file larger than fields may be", FORM, file("a.txt", b"x" * 1000) + END),
    ("files that are not larger than memory takes", FORM, file("a.txt", b"x" * 2000) + END),
    ("files that are larger than memory takes", FORM, file("a.txt", b"x" * 3000) + file("b.txt", b"") + END),
    ("a file", FORM, file("a.txt") + END),
    ("two files of one field", FORM, file("a.txt", b"1") + file("b.txt", b"2") + END),
    ("an empty file", FORM, file("a.txt", b"") + END),
    ("a line that begins with the boundary", FORM, field("a", b"1\r\n--Xy") + field("b", b"2") + END),
    ("a line that begins with the boundary and a dash", FORM, field("a", b"1\r\n--X-") + field("b", b"2") + END),
    ("the boundary inside of a line", FORM, field("a", b"1 --X 2") + END),
    ("a file of a field with an empty name", FORM, part('Content-Disposition: form-data; name=""; filename="a.txt"', b"1") + END),
    ("a file input left empty", FORM, file("", b"", "Content-Type: application/octet-stream") + END),
    ("no content type", FORM, file("a.txt", b"1", "") + END),
    ("a content type with parameters", FORM, file("a.txt", b"1", 'Content-Type: Text/Plain; charset=UTF-8; Format="a;b"') + END),
    ("a content type that is none", FORM, file("a.txt", b"1", "Content-Type: <script>") + END),
    ("bytes of all values", FORM, file("a.bin", bytes(range(256)) * 4) + END),
    ("a field in base64", FORM, part('Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64', b"aGVsbG8=") + END),
    ("a field that is no base64", FORM, part('Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64', b"no base64") + END),
    ("a file in base64", FORM, file("a.txt", b"aGVs\r\nbG8=\r\n", "Content-Transfer-Encoding: base64") + END),
    ("a file in Base64", FORM, file("a.txt", b"aGVsbG8=", "Content-Transfer-Encoding: BASE64") + END),
    ("a file that is no base64", FORM, file("a.txt", b"a*==", "Content-Transfer-Encoding: base64") + END),
    ("a file of cut base64", FORM, file("a.txt", b"aGVsbG8", "Content-Transfer-Encoding: base64") + END),
    ("quoted-printable is not undone", FORM, file("a.txt", b"=20", "Content-Transfer-Encoding: quoted-printable") + END),
    ("filename*", FORM, extended("filename*=UTF-8''%E6%B8%85.txt") + END),
    ("filename* before filename", FORM, extended("filename*=UTF-8''b.txt; filename=\"a.txt\"") + END),
    ("filename* after filename", FORM, extended("filename=\"a.txt\"; filename*=UTF-8''b.txt") + END),
    ("filename* with a language", FORM, extended("filename*=UTF-8'en'b.txt") + END),
    ("filename* in Latin-1", FORM, extended("filename*=ISO-8859-1''%E9.txt") + END),
    ("filename* in no character set", FORM, extended("filename*=nosuch''b.txt") + END),
    ("filename* without quotes", FORM, extended("filename*=b.txt") + END),
    ("filename* with a path", FORM, extended("filename*=UTF-8''..%2F..%2Fetc%2Fpasswd") + END),
    ("filename* with bytes that are no UTF-8", FORM, extended("filename*=UTF-8''%FF%FE.txt") + END),
    ("filename* with a NUL", FORM, extended("filename*=UTF-8''a%00b.txt") + END),
    ("filename* in pieces", FORM, extended('filename*0="a"; filename*1="b.txt"') + END),
    ("filename* in encoded pieces", FORM, extended("filename*0*=UTF-8''%E6%B8; filename*1*=%85.txt") + END),
    ("a file name in Latin-1", FORM, file(b"\xe9.txt") + END),
    *((f"file name: {title}", FORM, file(name) + END) for title, name in NAMES.items()),
]


def read(content_type, body):
    request = WSGIRequest({"REQUEST_METHOD": "POST", "CONTENT_TYPE": content_type, "CONTENT_LENGTH": str(len(body)),
                           "wsgi.input": io.BytesIO(body)})
    try:
        post, files = request.POST, request.FILES
    except Exception as error:
        return {"raises": type(error).__name__, "message": str(error)}
    return {
        "POST": [[name, values] for name, values in post.lists()],
        "FILES": [[name, [describe(each) for each in values]] for name, values in files.lists()],
    }


def describe(each):
    return {
        "name": each.name, "size": each.size, "content_type": each.content_type, "charset": each.charset and each.charset.decode(),
        "content_type_extra": {name: value.decode() for name, value in each.content_type_extra.items()},
        "content": each.read().decode("latin-1"), "temporary": hasattr(each, "temporary_file_path"),
    }


names = [title for title, _, _ in CASES]
assert len(set(names)) == len(names)
entries = [{"title": title, "content_type": content_type, "body": body.decode("latin-1"), "django": read(content_type, body)}
           for title, content_type, body in CASES]
names = ("DATA_UPLOAD_MAX_NUMBER_FIELDS", "DATA_UPLOAD_MAX_NUMBER_FILES", "DATA_UPLOAD_MAX_MEMORY_SIZE", "FILE_UPLOAD_MAX_MEMORY_SIZE")
head = {"django": django.get_version(), "python": ".".join(map(str, sys.version_info[:3])),
        "settings": {name: getattr(settings, name) for name in names}}
print(json.dumps(head)[:-1] + ', "entries": [')
print(",\n".join(json.dumps(entry) for entry in entries))
print("]}")
