<?php
// Predis, the client that is all PHP.

declare(strict_types=1);
require __DIR__ . '/lib.php';
require 'Predis/autoload.php'; // Debian's package puts it into the include path

use Predis\Connection\ConnectionException;
use Predis\Response\ServerException;
use Predis\Transaction\AbortedMultiExecException;

drives(Predis\Client::VERSION);

function connect(array $options = []): Predis\Client
{
    return new Predis\Client($options + ['host' => HOST, 'port' => PORT, 'password' => TOKEN]);
}

$kv = connect();

check('sign-in', function () use ($kv) {
    same('PONG', (string) $kv->ping());
    same('PONG', (string) connect(['username' => USER, 'database' => 1])->ping());
    same('PONG', (string) (new Predis\Client('tcp://' . HOST . ':' . PORT . '?password=' . TOKEN))->ping());
    foreach ([['password' => 'wrong'], ['username' => 'acme/other']] as $wrong) {
        refused('`AUTH` failed: WRONGPASS', ConnectionException::class, fn () => connect($wrong)->ping());
    }
    refused('NOAUTH', ServerException::class, fn () => connect(['password' => null])->get('k'));
});

check('values', function () use ($kv) {
    same('OK', (string) $kv->set('text', 'grüße', 'EX', 100));
    same('grüße', $kv->get('text'));
    $ttl = $kv->ttl('text');
    same(true, $ttl > 90 && $ttl <= 100);
    same(null, $kv->set('text', 'x', 'NX'));
    same(null, $kv->get('missing'));
    $bytes = "\0\1\xfe\xff\r\n";
    same('OK', (string) $kv->set('bytes', $bytes));
    same($bytes, $kv->get('bytes'));
    same([1, 6, 5], [$kv->incr('n'), $kv->incrby('n', 5), $kv->decr('n')]);
    same('OK', (string) $kv->mset(['a' => '1', 'b' => '2']));
    same(['1', null, '2'], $kv->mget(['a', 'missing', 'b']));
    same([1, 1], [$kv->expire('a', 100), $kv->persist('a')]);
    same(3, $kv->del(['a', 'b', 'bytes', 'missing']));
    same('OK', $kv->executeRaw(['KV.SET', 'doc', '{"a": 1}']));
    same('{"a":1}', $kv->executeRaw(['KV.GET', 'doc']));
});

check('pipeline', function () {
    $kv = connect();
    $replies = $kv->pipeline(function ($pipe) {
        for ($i = 0; $i < 1000; $i++) {
            $pipe->set("many:$i", $i);
        }
        $pipe->get('many:7');
    });
    same(1001, count($replies));
    same('7', $replies[1000]);
    refused('ERR value is not an integer', ServerException::class, fn () => $kv->pipeline(fn ($pipe) => $pipe->incr('text')));
});

check('transaction', function () use ($kv) {
    same(2, $kv->transaction()->set('t', '1')->incr('t')->execute()[1]);
    $steps = 0;
    $replies = $kv->transaction(['watch' => 't', 'cas' => true, 'retry' => 3], function ($tx) use (&$steps) {
        $t = (int) $tx->get('t');
        if ($steps++ === 0) {
            connect()->set('t', '10');
        }
        $tx->multi();
        $tx->set('t', $t + 1);
    });
    same([2, 1, '11'], [$steps, count($replies), $kv->get('t')]);
    refused('', AbortedMultiExecException::class, fn () => $kv->transaction(['watch' => 't', 'cas' => true, 'retry' => 0], function ($tx) {
        $tx->get('t');
        connect()->set('t', '20');
        $tx->multi();
        $tx->set('t', '0');
    }));
});

check('scan', function () use ($kv) {
    $seen = [];
    foreach (new Predis\Collection\Iterator\Keyspace($kv, 'many:*', 100) as $key) {
        $seen[$key] = true;
    }
    same(1000, count($seen));
});

check('pub/sub', function () use ($kv) {
    $got = [];
    $sub = connect(['read_write_timeout' => 10])->pubSubLoop();
    $sub->subscribe('news');
    $sub->psubscribe('n*');
    foreach ($sub as $message) {
        match ($message->kind) {
            'subscribe' => null,
            'psubscribe' => same(2, $kv->publish('news', 'hello')),
            'message', 'pmessage' => $got[] = "$message->kind $message->channel $message->payload",
            default => null,
        };
        if (count($got) === 2) {
            $sub->stop();
            $got[] = 'end';
        }
    }
    same(['message news hello', 'pmessage news hello', 'end'], $got);
});

check('Lua', function () use ($kv) {
    same(2, $kv->eval("return redis.call('INCRBY', KEYS[1], ARGV[1])", 1, 'lua', 2));
    $add = new class extends Predis\Command\ScriptCommand {
        public function getKeysCount()
        {
            return 1;
        }

        public function getScript()
        {
            return "return redis.call('INCRBY', KEYS[1], ARGV[1])";
        }
    };
    $kv->getProfile()->defineCommand('addto', get_class($add));
    $kv->script('flush');
    same(5, $kv->addto('lua', 3)); // NOSCRIPT is answered with EVAL
    refused('NOSCRIPT', ServerException::class, fn () => $kv->evalsha(str_repeat('0', 40), 0));
});

check('errors', function () use ($kv) {
    foreach ([
        'SIZE_EXCEEDED' => fn () => $kv->set('big', str_repeat('x', 65537)),
        'BAD_INPUT' => fn () => $kv->set('two words', 'x'),
        'ERR unknown command' => fn () => $kv->lpush('list', 'x'),
    ] as $code => $run) {
        try {
            $run();
            throw new Exception("it was not refused with $code");
        } catch (ServerException $e) {
            same($code, substr($e->getMessage(), 0, strlen($code)));
            same(explode(' ', $code)[0], $e->getErrorType());
        }
    }
});

check('restart', function () use ($kv) {
    $kv->set('kept', 'v');
    restart();
    same('v', eventually(function () use ($kv) {
        try {
            return $kv->get('kept');
        } catch (ConnectionException $e) {
            $kv->disconnect();
            throw $e;
        }
    }));
});
