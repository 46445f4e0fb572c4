@_exported import SinterCore
@_exported import SinterFrontEnd
