# What all scripts here share: how they tell the Go test what they saw.
# See integration/clients_script_test.go.

require "json"

$stdout.sync = true

HOST = ENV.fetch("REDIS_HOST")
PORT = ENV.fetch("REDIS_PORT").to_i
USER = ENV.fetch("REDIS_USER")
TOKEN = ENV.fetch("REDIS_TOKEN")

def say(**line) = puts(JSON.generate(line))

# Names the version of the package that is driven.
def drives(version) = say(version: version)

# Runs one check and tells how it ended.
def check(name)
  yield
  say(check: name, ok: true)
rescue StandardError => e
  say(check: name, ok: false, detail: e.full_message(highlight: false))
end

# Requires two values to be the same.
def same(want, got)
  raise "expected #{want.inspect}, got #{got.inspect}" unless want == got
end

# Requires the block to fail with a class, and a text that begins with a code.
def refused(code, error)
  begin
    yield
  rescue error => e
    raise "#{code} was expected: #{e.message}" unless e.message.start_with?(code)

    return
  end
  raise "it was not refused with #{code}"
end

# Has the server killed and started again.
def restart
  say(ask: "restart")
  $stdin.gets
end

# Repeats what may fail for a while, until it works.
def eventually(error)
  left = 500
  begin
    yield
  rescue error
    raise if (left -= 1).zero?

    sleep 0.02
    retry
  end
end
