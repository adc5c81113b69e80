package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/cloudname/nodee/internal/httpget"
)

// S3 says where buckets are, and who asks. The zero value is Amazon's own.
type S3 struct {
	Endpoint        string // a URL, http or https; empty: Amazon's
	Region          string // empty: the server is asked where a bucket is
	CredentialsFile string // of the form of ~/.aws/credentials; empty: the environment, then that file
}

// amazon is where buckets are if nobody says otherwise.
const amazon = "https://s3.amazonaws.com"

// tries is how often one request is made, the first included.
const tries = 3

// metadataPatience bounds one request to the cloud that the machine may be in.
const metadataPatience = 5 * time.Second

// buckets is one server that speaks S3.
type buckets struct {
	core      minio.Core
	transport *http.Transport
}

func newBuckets(c S3) (*buckets, error) {
	u, err := url.Parse(cmp.Or(c.Endpoint, amazon))
	if err != nil {
		return nil, fmt.Errorf("cannot use the endpoint %q of S3: %w", c.Endpoint, err)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableCompression = true // what is kept packed is wanted packed
	client, err := minio.New(u.Host, &minio.Options{
		Creds: credentials.NewChainCredentials(providers(c)), Secure: u.Scheme == "https", Region: c.Region,
		Transport: transport, MaxRetries: tries,
	})
	if err != nil {
		return nil, fmt.Errorf("cannot use the endpoint %q of S3: %w", c.Endpoint, err)
	}
	return &buckets{core: minio.Core{Client: client}, transport: transport}, nil
}

// providers are where credentials are looked for, in this order. The cloud that the machine is
// in is asked only for Amazon's own buckets: anywhere else that would be a wait for nobody.
// Without any, requests are made as nobody, which public buckets answer.
func providers(c S3) []credentials.Provider {
	if c.CredentialsFile != "" {
		return []credentials.Provider{&credentials.FileAWSCredentials{Filename: c.CredentialsFile}}
	}
	all := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
	if c.Endpoint == "" {
		all = append(all, &credentials.IAM{Client: &http.Client{Timeout: metadataPatience}})
	}
	return all
}

func (b *buckets) close() { b.transport.CloseIdleConnections() }

// get gives an object's content to take. The error is httpget.ErrAbsent, a *httpget.Trouble,
// ctx's cause, or whatever else take returned.
func (b *buckets) get(ctx context.Context, source string, stall time.Duration, take func(io.Reader, int64) error) error {
	u, err := url.Parse(source)
	if err != nil {
		return err
	}
	patience := httpget.NewPatience(ctx, stall)
	defer patience.End()
	body, info, _, err := b.core.GetObject(patience.Context(), u.Host, strings.TrimPrefix(u.Path, "/"), minio.GetObjectOptions{})
	if err != nil {
		return judge(patience.Context(), source, err)
	}
	defer body.Close()
	err = take(patience.Read(body), info.Size)
	if t, ok := errors.AsType[*httpget.Trouble](err); ok {
		t.From = source
	}
	return err
}

// judge says what an error of the client library's means.
func judge(ctx context.Context, source string, err error) error {
	if ctx.Err() != nil {
		if t, ok := errors.AsType[*httpget.Trouble](context.Cause(ctx)); ok {
			return failure(source, "%s", t.Text)
		}
		return context.Cause(ctx)
	}
	answer, answered := errors.AsType[minio.ErrorResponse](err)
	switch {
	case answered && (answer.Code == minio.NoSuchKey || answer.Code == minio.NoSuchBucket):
		return httpget.ErrAbsent
	case answered && (answer.StatusCode == http.StatusForbidden || answer.StatusCode == http.StatusUnauthorized):
		return failure(source, "answered %d %s; check the credentials for S3 of this node's daemon", answer.StatusCode, answer.Code)
	case answered:
		return failure(source, "answered %d %s", answer.StatusCode, answer.Code)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return failure(source, "cannot be reached: %v", err)
}
