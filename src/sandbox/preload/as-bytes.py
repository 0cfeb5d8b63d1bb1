"""A file as an array of C: FILE NAME OUTPUT."""
import pathlib
import sys

data = pathlib.Path(sys.argv[1]).read_bytes()
rows = [", ".join(map(str, data[i:i + 32])) for i in range(0, len(data), 32)]
pathlib.Path(sys.argv[3]).write_text(f'#include <stddef.h>\nextern const unsigned char {sys.argv[2]}[];\nextern const size_t {sys.argv[2]}_size;\nconst unsigned char {sys.argv[2]}[] = {{\n' + ",\n".join(rows) + f"\n}};\nconst size_t {sys.argv[2]}_size = sizeof {sys.argv[2]};\n")
