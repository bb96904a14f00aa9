namespace ImageCluster.Api.Operating;

/// <summary>The commands about one sort of thing.</summary>
/// <param name="Name">The first word: <c>migration</c>, <c>job</c>, <c>image</c>, <c>worker</c>.</param>
/// <param name="Description">One line.</param>
/// <param name="Commands">What can be done.</param>
public sealed record OperatorPalette(string Name, string Description, IReadOnlyList<OperatorCommand> Commands);
