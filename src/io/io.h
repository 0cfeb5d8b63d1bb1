/* io: files, digests, streams, compression, processes, threads, HTTP. Knows no format and no model. */
#pragma once
#include "base.h"
#include "io-digest.h"
#include "io-file.h"
#include "io-process.h"
#include "io-stream.h"
#include "io-http.h"
