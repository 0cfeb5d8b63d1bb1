/* base: slices, strings, arena, array, map, path, diagnostics, progress. No I/O, no outside library. */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base-macro.h"
#include "base-slice.h"
#include "base-array.h"
#include "base-str.h"
#include "base-arena.h"
#include "base-map.h"
#include "base-path.h"
#include "base-diag.h"
#include "base-progress.h"
#include "base-ban.h"
