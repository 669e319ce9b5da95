<?php
// What all scripts here share: how they tell the Go test what they saw.
// See integration/clients_script_test.go.

declare(strict_types=1);

// A notice is a failure, and assert() works although php.ini-production is
// what a distribution may install.
set_error_handler(function ($severity, $message, $file, $line) {
    if (error_reporting() & $severity) {
        throw new ErrorException($message, 0, $severity, $file, $line);
    }
    return true;
});

define('HOST', getenv('REDIS_HOST'));
define('PORT', (int) getenv('REDIS_PORT'));
define('USER', getenv('REDIS_USER'));
define('TOKEN', getenv('REDIS_TOKEN'));

function say(array $line): void
{
    fwrite(STDOUT, json_encode($line, JSON_INVALID_UTF8_SUBSTITUTE) . "\n");
}

/** Names the version of the package that is driven. */
function drives(string $version): void
{
    say(['version' => $version]);
}

/** Runs one check and tells how it ended. */
function check(string $name, callable $run): void
{
    try {
        $run();
        say(['check' => $name, 'ok' => true]);
    } catch (Throwable $e) {
        say(['check' => $name, 'ok' => false, 'detail' => (string) $e]);
    }
}

/** Requires two values to be the same. */
function same($want, $got): void
{
    if ($want !== $got) {
        throw new Exception('expected ' . var_export($want, true) . ', got ' . var_export($got, true));
    }
}

/** Requires a call to fail with a class, and a text that begins with a code. */
function refused(string $code, string $class, callable $run): void
{
    try {
        $run();
    } catch (Exception $e) {
        if (!$e instanceof $class || !str_starts_with($e->getMessage(), $code)) {
            throw new Exception("$code was expected: " . get_class($e) . ' ' . $e->getMessage());
        }
        return;
    }
    throw new Exception("it was not refused with $code");
}

/** Has the server killed and started again. */
function restart(): void
{
    say(['ask' => 'restart']);
    fgets(STDIN);
}

/** Repeats what may fail for a while, until it works. */
function eventually(callable $run)
{
    for ($left = 500;; $left--) {
        try {
            return $run();
        } catch (Exception $e) {
            if ($left === 0) {
                throw $e;
            }
            usleep(20_000);
        }
    }
}

/** Runs code in another process of PHP until it has ended; it has HOST and the rest. */
function elsewhere(string $code): mixed
{
    $file = escapeshellarg(__FILE__);
    return proc_open([PHP_BINARY, '-r', "require $file; $code"], [1 => STDERR, 2 => STDERR], $pipes);
}
