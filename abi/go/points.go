package weir

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// Point is one point of a batch in Protobuf (DataKit's PBPoints).
type Point struct {
	Name   string
	Tags   map[string]string
	Fields map[string]interface{} // int64, uint64, float64, bool, []byte or string
	Time   int64                  // ns since 1970-01-01 UTC
}

var errBroken = errors.New("the message is broken")

// Decode takes a batch in Protobuf apart.
func (p Points) Decode() ([]Point, error) {
	if p.Format != Protobuf {
		return nil, fmt.Errorf("format %d is no Protobuf", p.Format)
	}
	points := make([]Point, 0, p.Count)
	err := eachField(p.Bytes, func(field int, value uint64, bytes []byte) error {
		if field != 1 {
			return nil
		}
		point, err := decodePoint(bytes)
		points = append(points, point)
		return err
	})
	return points, err
}

func decodePoint(message []byte) (Point, error) {
	point := Point{Tags: map[string]string{}, Fields: map[string]interface{}{}}
	err := eachField(message, func(field int, value uint64, bytes []byte) error {
		switch field {
		case 1:
			point.Name = string(bytes)
		case 2:
			return decodeField(bytes, &point)
		case 3:
			point.Time = int64(value)
		}
		return nil
	})
	return point, err
}

func decodeField(message []byte, point *Point) error {
	var key string
	var content interface{}
	isTag := false
	err := eachField(message, func(field int, value uint64, bytes []byte) error {
		switch field {
		case 1:
			key = string(bytes)
		case 2:
			content = int64(value)
		case 3:
			content = value
		case 4:
			content = math.Float64frombits(value)
		case 5:
			content = value != 0
		case 6:
			content = append([]byte(nil), bytes...)
		case 8:
			isTag = value != 0
		case 11:
			content = string(bytes)
		}
		return nil
	})
	if text, ok := content.(string); ok && isTag {
		point.Tags[key] = text
	} else if content != nil {
		point.Fields[key] = content
	}
	return err
}

// eachField walks the fields of a message: numbers as value, texts and messages as bytes.
func eachField(message []byte, take func(field int, value uint64, bytes []byte) error) error {
	for len(message) > 0 {
		tag, size := binary.Uvarint(message)
		if size <= 0 {
			return errBroken
		}
		message = message[size:]
		var value uint64
		var bytes []byte
		switch tag & 7 {
		case 0, 2:
			if value, size = binary.Uvarint(message); size <= 0 {
				return errBroken
			}
			message = message[size:]
			if tag&7 == 2 {
				if value > uint64(len(message)) {
					return errBroken
				}
				bytes, message = message[:value], message[value:]
			}
		case 1:
			if len(message) < 8 {
				return errBroken
			}
			value, message = binary.LittleEndian.Uint64(message), message[8:]
		default:
			return errBroken
		}
		if err := take(int(tag>>3), value, bytes); err != nil {
			return err
		}
	}
	return nil
}
