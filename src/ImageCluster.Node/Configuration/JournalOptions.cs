namespace ImageCluster.Node.Configuration;

/// <summary>Where records are kept.</summary>
/// <param name="IsPostgreSql">Else SQLite.</param>
/// <param name="ConnectionString">For the database's client.</param>
/// <param name="CreateTables">Where they are not there.</param>
public sealed record JournalOptions(bool IsPostgreSql, string ConnectionString, bool CreateTables)
{
    // The connection string has a password in it.
    public override string ToString() => IsPostgreSql ? "PostgreSQL" : ConnectionString;
}
