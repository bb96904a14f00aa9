namespace ImageCluster.Api;

/// <summary>Which part of a list.</summary>
public sealed record ListQuery
{
    public const int MaxLimit = 1000;

    public const int DefaultLimit = 100;

    /// <summary>Only those in this state, as the document says it; <see cref="Active"/> for all that are not over. Null for all.</summary>
    public string? State { get; init; }

    /// <summary>Only what belongs to this migration; null for all.</summary>
    public string? Migration { get; init; }

    /// <summary>So many are passed over; 0 or more.</summary>
    public int Offset { get; init; }

    /// <summary>At most so many; 1 to <see cref="MaxLimit"/>.</summary>
    public int Limit { get; init; } = DefaultLimit;

    public const string Active = "active";

    /// <exception cref="OperationRefusedException">It is out of its ranges.</exception>
    public ListQuery Checked() =>
        Offset < 0 ? throw new OperationRefusedException(RefusalReason.Invalid, $"'offset' is {Offset}; it is 0 or more")
        : Limit is < 1 or > MaxLimit ? throw new OperationRefusedException(RefusalReason.Invalid, $"'limit' is {Limit}; it is from 1 to {MaxLimit}")
        : this;
}
