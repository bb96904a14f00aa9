using Microsoft.Data.Sqlite;

namespace ImageCluster.Cli.Journal;

/// <summary>
/// An append-only table of events in SQLite, and a small one of notes about this machine's files. What <see cref="Append"/> has returned from
/// survives the machine's power. One connection, one process at a time; members may be called from any thread.
/// </summary>
internal sealed class EventStore : IDisposable
{
    /// <summary>The version of the tables, in the database's user_version.</summary>
    private const int SchemaVersion = 1;

    /// <summary>Marks the file as ours for <c>file(1)</c> and for <see cref="Open"/>: "ICmj".</summary>
    private const int ApplicationId = 0x49436d6a;

    private readonly SqliteConnection _connection;
    private readonly Lock _lock = new();

    private EventStore(SqliteConnection connection) => _connection = connection;

    /// <summary>Opens the file, or creates it.</summary>
    /// <exception cref="CliException">It is not a journal, of a newer version, damaged, or cannot be read or written.</exception>
    public static EventStore Open(string path)
    {
        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Pooling = false,
            DefaultTimeout = 2,
        }.ToString());
        try
        {
            connection.Open();
            var store = new EventStore(connection);
            store.Prepare(path);
            return store;
        }
        catch (SqliteException e)
        {
            connection.Dispose();
            throw Failure(path, e);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>Every event, in the order in which they were appended.</summary>
    public IReadOnlyList<StoredEvent> ReadAll()
    {
        lock (_lock)
        {
            try
            {
                var events = new List<StoredEvent>();
                using SqliteCommand command = Command("SELECT stream, manifest, payload FROM events ORDER BY sequence");
                using SqliteDataReader reader = command.ExecuteReader();
                while (reader.Read())
                {
                    events.Add(new StoredEvent(reader.GetString(0), reader.GetString(1), (byte[])reader.GetValue(2)));
                }

                return events;
            }
            catch (SqliteException e)
            {
                throw Failure(_connection.DataSource, e);
            }
        }
    }

    /// <summary>Appends events in one transaction: after a crash all of them are there, or none. Durable on return.</summary>
    public void Append(IReadOnlyCollection<StoredEvent> events, IReadOnlyDictionary<string, string>? notes = null)
    {
        lock (_lock)
        {
            try
            {
                using SqliteTransaction transaction = _connection.BeginTransaction();
                foreach (StoredEvent stored in events)
                {
                    using SqliteCommand command = Command("INSERT INTO events (stream, manifest, payload) VALUES ($stream, $manifest, $payload)",
                        ("$stream", stored.Stream), ("$manifest", stored.Manifest), ("$payload", stored.Payload));
                    command.ExecuteNonQuery();
                }

                foreach ((string key, string value) in notes ?? new Dictionary<string, string>())
                {
                    using SqliteCommand command = Command("INSERT OR REPLACE INTO notes (key, value) VALUES ($key, $value)", ("$key", key), ("$value", value));
                    command.ExecuteNonQuery();
                }

                transaction.Commit();
            }
            catch (SqliteException e)
            {
                throw Failure(_connection.DataSource, e);
            }
        }
    }

    /// <summary>What was noted last under <paramref name="key"/>, or null.</summary>
    public string? Note(string key)
    {
        lock (_lock)
        {
            using SqliteCommand command = Command("SELECT value FROM notes WHERE key = $key", ("$key", key));
            return command.ExecuteScalar() as string;
        }
    }

    public void Dispose() => _connection.Dispose();

    private void Prepare(string path)
    {
        // A write-ahead log that only this connection reads needs no shared memory (which network file systems lack), and a commit costs one flush.
        Execute("PRAGMA locking_mode = EXCLUSIVE");
        Execute("PRAGMA journal_mode = WAL");
        Execute("PRAGMA synchronous = FULL");
        long application = Number("PRAGMA application_id");
        long version = Number("PRAGMA user_version");
        bool isEmpty = Number("SELECT count(*) FROM sqlite_master") == 0;
        if (application != ApplicationId && !isEmpty)
        {
            throw CliException.Refused($"{path}: a database, but not a journal of imagecluster", "move it away");
        }

        if (version > SchemaVersion)
        {
            throw CliException.Refused($"{path}: written by a newer imagecluster (journal version {version}, this program knows {SchemaVersion})",
                "use that program to go on");
        }

        if (isEmpty)
        {
            Execute($"""
                BEGIN;
                CREATE TABLE events (sequence INTEGER PRIMARY KEY AUTOINCREMENT, stream TEXT NOT NULL, manifest TEXT NOT NULL, payload BLOB NOT NULL);
                CREATE TABLE notes (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
                PRAGMA application_id = {ApplicationId};
                PRAGMA user_version = {SchemaVersion};
                COMMIT;
                """);
        }
    }

    private void Execute(string sql)
    {
        using SqliteCommand command = Command(sql);
        command.ExecuteNonQuery();
    }

    private long Number(string sql)
    {
        using SqliteCommand command = Command(sql);
        return (long)command.ExecuteScalar()!;
    }

    private SqliteCommand Command(string sql, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        SqliteCommand command = _connection.CreateCommand();
#pragma warning disable CA2100 // Every text comes from the constants above.
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach ((string name, object value) in parameters)
        {
            command.Parameters.AddWithValue(name, value);
        }

        return command;
    }

    // Primary result codes of SQLite.
    private static CliException Failure(string path, SqliteException e) => e.SqliteErrorCode switch
    {
        5 or 6 => CliException.Refused($"{path}: the journal is open in another process", "wait for it, or end it"),
        11 or 26 => CliException.Refused($"{path}: the journal is damaged or not a journal", "start over with --restart; finished targets stay"),
        13 => new CliException(ExitCode.SomeFailed, $"{path}: no space left for the journal", "free space and run the same command again"),
        8 or 14 => CliException.Refused($"{path}: the journal cannot be opened for writing", "look at the permissions of the target root"),
        _ => new CliException(ExitCode.SomeFailed, $"{path}: the journal failed: {e.Message}", "run the same command again"),
    };
}
