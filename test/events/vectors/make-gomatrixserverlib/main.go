// Writes ../gomatrixserverlib.json: what gomatrixserverlib says of the events of ../synapse.json. ../README.md says how to run it.
package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	_ "unsafe" // for go:linkname

	"github.com/matrix-org/gomatrixserverlib"
	"github.com/matrix-org/gomatrixserverlib/spec"
)

const module = "github.com/matrix-org/gomatrixserverlib"

type reference struct {
	EventID     string
	EventSHA256 spec.Base64Bytes
}

// These three are not exported, and what is exported calls them only for events that it has built itself.

//go:linkname addContentHashesToEvent github.com/matrix-org/gomatrixserverlib.addContentHashesToEvent
func addContentHashesToEvent(eventJSON []byte) ([]byte, error)

//go:linkname referenceOfEvent github.com/matrix-org/gomatrixserverlib.referenceOfEvent
func referenceOfEvent(eventJSON []byte, roomVersion gomatrixserverlib.RoomVersion) (reference, error)

//go:linkname signEvent github.com/matrix-org/gomatrixserverlib.signEvent
func signEvent(signingName string, keyID gomatrixserverlib.KeyID, privateKey ed25519.PrivateKey, eventJSON []byte, roomVersion gomatrixserverlib.RoomVersion) ([]byte, error)

type signedEvent struct {
	Hashes     json.RawMessage `json:"hashes"`
	Signatures json.RawMessage `json:"signatures"`
}

type signed struct {
	ServerName string      `json:"server_name"`
	KeyID      string      `json:"key_id"`
	Event      signedEvent `json:"event"`
}

type vector struct {
	Name          string          `json:"name"`
	RoomVersion   string          `json:"room_version"`
	ContentHash   string          `json:"content_hash,omitempty"`
	ReferenceHash string          `json:"reference_hash,omitempty"`
	EventID       string          `json:"event_id,omitempty"`
	Redacted      json.RawMessage `json:"redacted,omitempty"`
	Signed        *signed         `json:"signed,omitempty"`
	Refused       string          `json:"refused,omitempty"`
	Failed        string          `json:"failed,omitempty"`
}

type input struct {
	SigningKey struct {
		ServerName string `json:"server_name"`
		KeyID      string `json:"key_id"`
		Seed       string `json:"seed"`
	} `json:"signing_key"`
	Vectors []struct {
		Name        string          `json:"name"`
		RoomVersion string          `json:"room_version"`
		EventJSON   string          `json:"event_json"`
		Redacted    json.RawMessage `json:"redacted"`
	} `json:"vectors"`
}

func main() {
	path := ".."
	if len(os.Args) > 1 {
		path = os.Args[1]
	}
	text := must(os.ReadFile(filepath.Join(path, "synapse.json")))
	var in input
	check(json.Unmarshal(text, &in))
	seed := must(base64.RawStdEncoding.DecodeString(in.SigningKey.Seed))
	key := ed25519.NewKeyFromSeed(seed)

	vectors := []vector{}
	for _, from := range in.Vectors {
		impl, err := gomatrixserverlib.GetRoomVersion(gomatrixserverlib.RoomVersion(from.RoomVersion))
		if err != nil {
			continue
		}
		v := vector{Name: from.Name, RoomVersion: from.RoomVersion}
		event := []byte(from.EventJSON)
		if _, err := impl.NewEventFromUntrustedJSON(event); err != nil {
			v.Refused = fmt.Sprintf("%.120s", err.Error())
		}
		if err := v.fill(impl, event, from.Redacted, in.SigningKey.ServerName, in.SigningKey.KeyID, key); err != nil {
			v.Failed = err.Error()
		}
		vectors = append(vectors, v)
	}

	made := map[string]string{"name": module}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dep := range info.Deps {
			if dep.Path == module {
				made["version"] = dep.Version
			}
		}
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	check(encoder.Encode(map[string]any{"made_by": made, "vectors": vectors}))
	check(os.WriteFile(filepath.Join(path, "gomatrixserverlib.json"), out.Bytes(), 0o644))
}

func (v *vector) fill(impl gomatrixserverlib.IRoomVersion, event, expected []byte, serverName, keyID string, key ed25519.PrivateKey) error {
	hashed, err := addContentHashesToEvent(event)
	if err != nil {
		return fmt.Errorf("content hash: %w", err)
	}
	var fields struct {
		Hashes struct {
			SHA256 string `json:"sha256"`
		} `json:"hashes"`
	}
	if err = json.Unmarshal(hashed, &fields); err != nil {
		return err
	}
	v.ContentHash = fields.Hashes.SHA256

	ref, err := referenceOfEvent(event, impl.Version())
	if err != nil {
		return fmt.Errorf("reference hash: %w", err)
	}
	v.ReferenceHash = base64.RawStdEncoding.EncodeToString(ref.EventSHA256)
	v.EventID = ref.EventID

	redacted, err := impl.RedactEventJSON(event)
	if err != nil {
		return fmt.Errorf("redaction: %w", err)
	}
	if redacted, err = gomatrixserverlib.CanonicalJSON(redacted); err != nil {
		return err
	}
	same := false
	if len(expected) > 0 {
		canonical, err := gomatrixserverlib.CanonicalJSON(expected)
		same = err == nil && bytes.Equal(canonical, redacted)
	}
	if !same {
		v.Redacted = redacted
	}

	signedJSON, err := signEvent(serverName, gomatrixserverlib.KeyID(keyID), key, hashed, impl.Version())
	if err != nil {
		return fmt.Errorf("signature: %w", err)
	}
	v.Signed = &signed{ServerName: serverName, KeyID: keyID}
	return json.Unmarshal(signedJSON, &v.Signed.Event)
}

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
