package weir

/*
#include "bridge.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime/cgo"
	"time"
	"unsafe"
)

// The plugin's threads come in here. A panic must not unwind through C: each function recovers, logs, and
// answers as if nothing could be done now.

func inputOf(ctx C.weir_host_ctx) *Input { return cgo.Handle(ctx).Value().(*Input) }

func (in *Input) recovered(where string) {
	if problem := recover(); problem != nil {
		in.panics.Add(1)
		defer func() { _ = recover() }() // a logger that panics as well
		in.logger.Log(ErrorLevel, fmt.Sprintf("%s panicked: %v", where, problem))
	}
}

//export weirGoLog
func weirGoLog(ctx C.weir_host_ctx, level C.int32_t, text *C.char, size C.uint64_t) {
	in := inputOf(ctx)
	defer in.recovered("the logger")
	in.logger.Log(Level(level), C.GoStringN(text, C.int(size)))
}

//export weirGoEmit
func weirGoEmit(ctx C.weir_host_ctx, format C.int32_t, bytes *C.uint8_t, size, count C.uint64_t) (result C.weir_emit_result) {
	in := inputOf(ctx)
	result = C.WEIR_EMIT_BUSY // unless Feed returns
	defer in.recovered("the feeder")
	points := Points{
		Format: Format(format),
		Bytes:  C.GoBytes(unsafe.Pointer(bytes), C.int(size)),
		Count:  int(count),
	}
	options := FeedOptions{Source: in.plugin.description.Name, Collected: time.Now(), Election: in.election}
	err := in.feeder.Feed(Network, points, options)
	switch {
	case err == nil:
		in.fed.Add(uint64(count))
		return C.WEIR_EMIT_OK
	case errors.Is(err, ErrClosed):
		return C.WEIR_EMIT_CLOSED
	default:
		return C.WEIR_EMIT_BUSY
	}
}

//export weirGoStatus
func weirGoStatus(ctx C.weir_host_ctx, code C.weir_code, text *C.char, size C.uint64_t) {
	in := inputOf(ctx)
	defer in.recovered("the feeder")
	message := C.GoStringN(text, C.int(size))
	if code == C.WEIR_OK {
		message = ""
	}
	in.reportError(message)
}

//export weirGoTags
func weirGoTags(ctx C.weir_host_ctx, buffer *C.char, capacity C.uint64_t, length *C.uint64_t) C.uint64_t {
	in := inputOf(ctx)
	tags, version := in.tagText()
	if buffer != nil && len(tags) > 0 {
		copy(unsafe.Slice((*byte)(unsafe.Pointer(buffer)), int(capacity)), tags)
	}
	if length != nil {
		*length = C.uint64_t(len(tags))
	}
	return C.uint64_t(version)
}

//export weirGoShouldStop
func weirGoShouldStop(ctx C.weir_host_ctx) C.int32_t {
	if inputOf(ctx).terminated() {
		return 1
	}
	return 0
}
