using ImageCluster.QemuImg;

return QemuImgProgram.RunProcess(args);
