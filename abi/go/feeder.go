package weir

import "time"

// Category is where an agent files points.
type Category string

// Network is the category of all that the plugin measures.
const Network Category = "network"

// Points are a batch as the plugin encoded it. The bytes are the receiver's own.
type Points struct {
	Format Format
	Bytes  []byte
	Count  int
}

// FeedOptions say where points come from.
type FeedOptions struct {
	Source    string    // the plugin's name
	Collected time.Time // when they arrived
	Election  bool      // from an instance that takes part in elections
}

// ErrorInfo is what an agent shows as an input's last error.
type ErrorInfo struct {
	Input    string
	Source   string
	Category Category
	Message  string // empty: the trouble is over
}

// Feeder takes what an input makes. Both are called from several goroutines; they should return within
// milliseconds, and must not call back into the input.
type Feeder interface {
	// Feed takes points, or says why not: ErrBusy and any other error let the plugin keep them and try
	// again; ErrClosed too, less often.
	Feed(category Category, points Points, options FeedOptions) error
	// FeedLastError reports a trouble, or its end.
	FeedLastError(info ErrorInfo)
}

// Level is the weight of a log line.
type Level int32

// The levels of weir_abi.h.
const (
	Debug Level = iota
	Info
	Warning
	ErrorLevel
)

// Logger takes lines without their newline.
type Logger interface {
	Log(level Level, text string)
}
